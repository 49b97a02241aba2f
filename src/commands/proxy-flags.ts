/**
 * A proxy that carries out what flags say; the files with its passwords are read again when they change.
 */
import { isUtf8 } from 'node:buffer';
import { readFile, stat } from 'node:fs/promises';

import type { Logger } from 'pino';

import { SecretText } from '../api/secret-text.ts';
import type { RoutingPlan } from '../plan/routing-plan.ts';
import { reuse, sameContent } from '../plan/same-content.ts';
import { planSingleUpstream, type SingleUpstream } from '../plan/single-upstream.ts';
import { ListenProblems, type Proxy } from '../proxy/proxy.ts';
import { watchRead } from '../tls/watch.ts';
import type { Memory } from './workers.ts';

export interface Flags extends Omit<SingleUpstream, 'zoneAffinity' | keyof Passwords> {
  readonly zone?: string;
  readonly clientPasswordFile?: string;
  readonly upstreamPasswordFile?: string;
}

type Passwords = Pick<SingleUpstream, 'clientPassword' | 'upstreamPassword'>;

/**
 * Fails with one line where a file is not usable now; later, what was read before stays in force, also for a worker that
 * takes the place of another one.
 */
export async function followFlags(
  proxy: Proxy,
  flags: Flags,
  log: Logger,
  memory?: Memory,
): Promise<{ close(): Promise<void> }> {
  const { zone, clientPasswordFile, upstreamPasswordFile } = flags;
  const files = [
    { name: 'clientPassword', flag: '--client-password-file', path: clientPasswordFile },
    { name: 'upstreamPassword', flag: '--upstream-password-file', path: upstreamPasswordFile },
  ] as const;
  const keep = (flag: string, password: SecretText | undefined): void => {
    if (password !== undefined) memory?.keep(flag, password.bytes().toString());
  };
  let plan: RoutingPlan | undefined;
  const carryOut = async (passwords: Passwords): Promise<void> => {
    const next = planSingleUpstream({ ...flags, ...passwords, zoneAffinity: zone !== undefined });
    const before = plan?.upstreams;
    // Another password of clients leaves the connections to Redis alone.
    plan = {
      ...next,
      upstreams: new Map(Array.from(next.upstreams, ([id, each]) => [id, reuse(before?.get(id), each)])),
    };
    await proxy.update(plan);
  };
  let inForce: Passwords = { clientPassword: undefined, upstreamPassword: undefined };
  for (const { name, flag, path } of files) {
    if (path === undefined) continue;
    const password = await readOrRecall(flag, path, memory?.recall(flag));
    keep(flag, password);
    inForce = { ...inForce, [name]: password };
  }
  await carryOut(inForce).catch((error: unknown) => {
    if (error instanceof ListenProblems)
      throw new Error(`${error.message}; give another address with --listen`, { cause: error });
    throw error;
  });
  const onProblem = (problem: string): void => log.error(`${problem}; the password before stays in force`);
  // Each by itself: one that can't be used must not keep the other from being changed.
  const ends: (() => void)[] = [];
  for (const { name, flag, path } of files) {
    if (path === undefined || (await isPipe(path))) continue;
    const end = watchRead(() => readPassword(flag, path), inForce[name], sameContent, {
      onChange: (password) => {
        inForce = { ...inForce, [name]: password };
        keep(flag, password);
        log.info(`${flag} has changed; new connections use what is in it now`);
        carryOut(inForce).catch((error: unknown) => onProblem(String(error)));
      },
      onProblem,
    });
    ends.push(end);
  }
  return {
    close: async () => {
      for (const end of ends) end();
    },
  };
}

/** What the shell makes of `<(command)`: it can be read once, and whoever reads it again may wait for ever. */
async function isPipe(path: string): Promise<boolean> {
  const state = await stat(path).catch(() => undefined);
  return state?.isFIFO() === true;
}

/** `known`: what was read there before, by another worker. */
async function readOrRecall(flag: string, path: string, known: string | undefined): Promise<SecretText> {
  if (known === undefined) return await readPassword(flag, path);
  if (await isPipe(path)) return new SecretText(known);
  return await readPassword(flag, path).catch(() => new SecretText(known));
}

async function readPassword(flag: string, path: string): Promise<SecretText> {
  let bytes;
  try {
    bytes = await readFile(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(`${flag} ${path}: it can't be read (${code}); give a file with the password`, {
      cause: error,
    });
  }
  if (!isUtf8(bytes)) throw new Error(`${flag} ${path}: is not UTF-8; give a password that is text`);
  // As of a Secret that objects name: mounted as a file it is the same password.
  const text = bytes.toString().trim();
  // Never a listener that is open because its file was.
  if (text === '') throw new Error(`${flag} ${path}: is empty; write the password into it`);
  // Who expects several passwords to hold, or comments to be none, would find nobody let in.
  if (/[\r\n]/.test(text))
    throw new Error(`${flag} ${path}: has several lines; write the password alone into it`);
  return new SecretText(text);
}
