/**
 * What every reader of received messages needs: a refusal with its reason, and the small messages as plain values.
 */
import type { SocketAddress } from '../../plan/routing-plan.ts';
import { SecretText } from '../../api/secret-text.ts';
import { typeUrl, type MessageName, type Messages } from '../codec.ts';
import type { Address } from '../protos/envoy/config/core/v3/Address.ts';
import type { DataSource } from '../protos/envoy/config/core/v3/DataSource.ts';
import type { RuntimeFractionalPercent } from '../protos/envoy/config/core/v3/RuntimeFractionalPercent.ts';
import type { Any } from '../protos/google/protobuf/Any.ts';
import type { Duration } from '../protos/google/protobuf/Duration.ts';

/** The resource asks for something that the proxy can't carry out; the message is a clause that names it. */
export class CannotHonour extends Error {}

export function refuse(reason: string): never {
  throw new CannotHonour(reason);
}

export function milliseconds({ seconds, nanos }: Duration): number {
  return Number(seconds ?? 0) * 1_000 + (nanos ?? 0) / 1e6;
}

/** `what`: whose address it is. */
export function socketAddressOf(address: Address | null | undefined, what: string): SocketAddress {
  const { address: host, port_value: port } = address?.socket_address ?? {};
  if (host === undefined || host === '' || port === undefined) refuse(`${what} has no address with a port`);
  if (port > 65_535) refuse(`${what} has port ${port}, and 65535 is the last`);
  return { address: host, port };
}

/** undefined: it holds another message. */
export function unpacked<N extends MessageName>(
  packed: Any | null | undefined,
  name: N,
): Messages[N] | undefined {
  if (packed === null || packed === undefined || !('@type' in packed)) return undefined;
  // An Any is decoded as the message that its @type names.
  return packed['@type'] === typeUrl(name) ? (packed as unknown as Messages[N]) : undefined;
}

/** The full name of the message in it. */
export function nameOf(packed: Any | null | undefined): string {
  const url = packed && ('@type' in packed ? packed['@type'] : packed.type_url);
  return (url ?? 'nothing').replace(/^type\.googleapis\.com\//, '');
}

export function inlineText(source: DataSource | null | undefined, what: string): string {
  return inlineContent(source, what).toString();
}

export function inlineSecret(source: DataSource | null | undefined, what: string): SecretText {
  return new SecretText(inlineContent(source, what));
}

function inlineContent(source: DataSource | null | undefined, what: string): string | Buffer {
  const { inline_string: text, inline_bytes: bytes } = source ?? {};
  if (text !== undefined) return text;
  if (bytes instanceof Uint8Array) return Buffer.from(bytes);
  return refuse(`${what} is not inline`);
}

const PER_PERCENT = { HUNDRED: 1, TEN_THOUSAND: 100, MILLION: 10_000 } as const;

/** Absent is always. */
export function percentage(fraction: RuntimeFractionalPercent | null | undefined): number {
  if (fraction === null || fraction === undefined) return 100;
  const { numerator = 0, denominator = 'HUNDRED' } = fraction.default_value ?? {};
  if (typeof denominator === 'number') return refuse(`a fraction's denominator ${denominator} is not known`);
  return numerator / PER_PERCENT[denominator];
}
