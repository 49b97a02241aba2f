/**
 * Places as objects write them: `host`, `host:port`, `ip:port`, `[v6]:port`; and what may be a host.
 */
import { isIP } from 'node:net';

import type { HostPort } from './objects.ts';
import type { Parsed } from './parsed.ts';

const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i;

/** As a message quotes it: without the user and password that an address may hold. */
export function quoted(text: string): string {
  return `"${text.replace(/^([a-z]+:\/\/)?.*@/is, '$1…@')}"`;
}

/** A clause that says what is wrong with a host; undefined where nothing is. */
export function hostProblem(text: string): string | undefined {
  if (isIP(text) !== 0) return addressProblem(text);
  if (text === '') return 'is empty; write the name of a Service or a DNS name';
  if (/^[a-z]+:\/\//i.test(text)) return `${quoted(text)} is an address with a scheme; write the host alone`;
  if (/^[^:]+:\d+$/.test(text)) return `${quoted(text)} has a port in it; write the host alone`;
  const [, bracketed = ''] = /^\[(.*)\]$/.exec(text) ?? [];
  if (isIP(bracketed) === 6) return `${quoted(text)} has brackets around it; write ${bracketed}`;
  // Only an address is made of digits alone: nothing would ever answer to the name.
  if (/^\d+(\.\d+){2,}\.?$/.test(text))
    return `${quoted(text)} is not an IP address; write four numbers from 0 to 255, joined by dots`;
  if (text.includes('*')) return `${quoted(text)} has a wildcard; write one host`;
  const labels = text.replace(/\.$/, '').split('.');
  const legal = text.length <= 253 && labels.every((label) => LABEL.test(label));
  if (!legal)
    return `${quoted(text)} is not a host name; write letters, digits and - in labels of at most 63, joined by dots`;
  return undefined;
}

/** As the API server has it, which takes neither of them for an address. */
function addressProblem(text: string): string | undefined {
  if (text.includes('%'))
    return `${quoted(text)} has a zone, which is another on every machine; write an address without %`;
  if (isIP(text) === 6 && new URL(`http://[${text}]`).hostname.startsWith('[::ffff:'))
    return `${quoted(text)} is an IPv4 address in an IPv6 one; write it as four numbers joined by dots`;
  return undefined;
}

/** An IPv6 address in the one form of RFC 5952, so that two ways to write it are one place; all else as it is. */
export function inOneForm(text: string): string {
  // A node may name any host, also one with a zone, which no object can have.
  if (isIP(text) !== 6 || text.includes('%')) return text;
  return new URL(`http://[${text}]`).hostname.slice(1, -1);
}

/** `host:port`, `[v6]:port`: as a place is shown, and told apart from others, everywhere. */
export function addressOf(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** An IPv6 address comes without its brackets. */
export function parseHostPort(text: string): Parsed<HostPort> {
  if (isIP(text) === 6) {
    const problem = addressProblem(text);
    return problem === undefined ? { value: { host: inOneForm(text), port: undefined } } : { problem };
  }
  const [, bracketed, plain, portText] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(.*))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (/^[a-z]+:\/\//i.test(text)) {
    return {
      problem: `${quoted(text)} is an address with a scheme; write host, host:port, ip:port or [v6]:port`,
    };
  }
  if (host === undefined || (bracketed !== undefined && isIP(bracketed) !== 6)) {
    return { problem: `${quoted(text)} is not a place; write host, host:port, ip:port or [v6]:port` };
  }
  const problem = hostProblem(host);
  if (problem !== undefined) return { problem };
  const port = portText === undefined ? undefined : Number(portText);
  if (port !== undefined && !(/^\d+$/.test(portText ?? '') && port >= 1 && port <= 65_535)) {
    return {
      problem: `${quoted(text)} has no port after the colon; write a whole number from 1 to 65535 there`,
    };
  }
  return { value: { host: inOneForm(host), port } };
}

/** A listener for both kinds of addresses sees IPv4 ones as IPv6 (`::ffff:127.0.0.1`), which a client may not be able to use. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=[\d.]+$)/i, '');
}
