/**
 * Discovery responses as bytes. Each resource is encoded once, in the form in which a response holds it, and shared by
 * all streams: the fields of a Protobuf message are runs of bytes in any order, so a response is put together from them.
 *
 *   DiscoveryResponse       1 version_info, 2 resources (Any), 4 type_url, 5 nonce
 *   DeltaDiscoveryResponse  1 system_version_info, 2 resources (Resource), 4 type_url, 5 nonce, 6 removed_resources
 *   Resource                1 version, 2 resource (Any), 3 name
 *   Any                     1 type_url, 2 value
 */
import type { Resource } from '../envoy/resource.ts';
import type { Variant } from './requests.ts';
import type { Response } from './subscription.ts';

type Form = 'world' | 'world, initial' | 'delta' | 'delta, initial';

const encoded = new WeakMap<Resource, Map<Form, Buffer>>();

export function encodeResponse(variant: Variant, response: Response): Buffer {
  const { typeUrl, nonce, version, resources, removed, initial } = response;
  const parts = [field(1, text(version)), field(4, text(typeUrl)), field(5, text(nonce))];
  for (const resource of resources) parts.push(encodeResource(resource, variant, initial.has(resource.name)));
  if (variant === 'delta') for (const name of removed) parts.push(field(6, text(name)));
  return Buffer.concat(parts);
}

function encodeResource(resource: Resource, variant: Variant, isInitial: boolean): Buffer {
  const forms = encoded.get(resource) ?? new Map<Form, Buffer>();
  encoded.set(resource, forms);
  const initialBytes = isInitial ? resource.initialBytes : undefined;
  const form: Form = `${variant === 'delta' ? 'delta' : 'world'}${initialBytes === undefined ? '' : ', initial'}`;
  const known = forms.get(form);
  if (known !== undefined) return known;
  const { name, version, typeUrl, bytes } = resource;
  const any = Buffer.concat([field(1, text(typeUrl)), field(2, initialBytes ?? bytes)]);
  const inner =
    variant === 'delta' ? Buffer.concat([field(1, text(version)), field(2, any), field(3, text(name))]) : any;
  const bytesOfForm = field(2, inner);
  forms.set(form, bytesOfForm);
  return bytesOfForm;
}

function text(value: string): Buffer {
  return Buffer.from(value, 'utf8');
}

/** A length-delimited field (wire type 2); all numbers here are below 16, so the tag is one byte. */
function field(number: number, bytes: Uint8Array): Buffer {
  const head = [(number << 3) | 2];
  let rest = bytes.length;
  for (; rest > 0x7f; rest >>>= 7) head.push((rest & 0x7f) | 0x80);
  head.push(rest);
  return Buffer.concat([Buffer.from(head), bytes]);
}
