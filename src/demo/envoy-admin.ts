/**
 * Questions to an Envoy's admin, on its Unix socket or its address.
 */
import { request } from 'node:http';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Resolves to the body of the answer. */
export type AskEnvoy = (path: string, method?: 'GET' | 'POST') => Promise<string>;

const LIMIT_MS = 5_000;

export function envoyAdmin(where: { readonly socketPath: string } | Address): AskEnvoy {
  return (path, method = 'GET') =>
    new Promise((resolve, reject) => {
      const asked = request({ ...where, path, method, agent: false, timeout: LIMIT_MS }, (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          body += chunk;
        });
        response.on('end', () => resolve(body));
        response.on('error', reject);
      });
      asked.on('timeout', () => asked.destroy(new Error(`the data plane's admin did not answer ${path}`)));
      asked.on('error', reject);
      asked.end();
    });
}

/** As Envoy has it; undefined while there is no listener. */
export async function policyInForce(ask: AskEnvoy): Promise<string | undefined> {
  const dump = await ask('/config_dump?resource=dynamic_listeners');
  const active = (JSON.parse(dump) as { configs?: { active_state?: unknown }[] }).configs?.[0]?.active_state;
  if (active === undefined) return undefined;
  // MASTER is the default, which Envoy leaves out of its dump.
  return /"read_policy":"([A-Z_]+)"/.exec(JSON.stringify(active))?.[1] ?? 'MASTER';
}
