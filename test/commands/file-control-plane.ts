/**
 * A control plane that follows files, and remembers where it is told a place, with ports of its own and nothing to say.
 */
import { pino } from 'pino';

import { startControlPlane, type ControlPlane } from '../../src/commands/control-plane.ts';

const LOCAL = { host: '127.0.0.1', port: 0 };

export async function startFromFiles(objects: string, statePath?: string): Promise<ControlPlane> {
  return await startControlPlane({
    configPaths: [objects],
    statePath,
    xdsAddress: LOCAL,
    adminAddress: LOCAL,
    bindAddress: '127.0.0.1',
    insecure: false,
    probe: false,
    log: pino({ level: 'silent' }),
  });
}
