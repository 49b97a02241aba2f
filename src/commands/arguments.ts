/**
 * Arguments that several commands take.
 */
import { isIP } from 'node:net';

import { InvalidArgumentError, Option } from 'commander';

import type { HostAndPort } from '../xds/index.ts';

/** `HOST:PORT` or `[V6]:PORT`. */
export function parseAddress(text: string): HostAndPort {
  const parts = /^(?:\[(?<v6>[0-9A-Fa-f:.]+)\]|(?<host>[^:[\]]+)):(?<port>\d{1,5})$/.exec(text)?.groups;
  const host = parts?.['v6'] ?? parts?.['host'];
  const port = Number(parts?.['port']);
  if (host === undefined || port > 65_535) {
    throw new InvalidArgumentError(`write HOST:PORT, for example 127.0.0.1:18000`);
  }
  return { host, port };
}

export function addressOption(flags: string, description: string, byDefault: string): Option {
  return new Option(flags, description).argParser(parseAddress).default(parseAddress(byDefault), byDefault);
}

export function parseIp(text: string): string {
  if (isIP(text) === 0) throw new InvalidArgumentError('write an IP address, for example 127.0.0.1');
  return text;
}

/** Gathers an option that may be repeated, or may name several values at once. */
export function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}
