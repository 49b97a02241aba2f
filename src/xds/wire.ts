/**
 * Discovery responses as bytes. The fields of a Protobuf message are runs of bytes in any order, so a response is put
 * together from what is encoded already: each resource once, the content of a response once for all streams that are sent
 * it, and before it the nonce, which is the stream's.
 *
 *   DiscoveryResponse       1 version_info, 2 resources (Any), 4 type_url, 5 nonce
 *   DeltaDiscoveryResponse  1 system_version_info, 2 resources (Resource), 4 type_url, 5 nonce, 6 removed_resources
 *   Resource                1 version, 2 resource (Any), 3 name
 *   Any                     1 type_url, 2 value
 */
import { unpooled } from '../envoy/codec.ts';
import type { Resource, TypeUrl } from '../envoy/resource.ts';
import type { Transition } from '../envoy/resource-set.ts';
import { type Frame, headOfFrame } from './frames.ts';
import type { InitialForm } from './initial-form.ts';
import type { Variant } from './requests.ts';
import { versionOf } from './state-of-the-world.ts';
import type { Response } from './subscription.ts';

type Form = 'world' | 'world, initial' | 'delta' | 'delta, initial';

/** Everything of a response but its nonce; and the last whole one, since streams mostly count alike. */
interface Encoded {
  readonly body: Buffer;
  nonce: string;
  frame: Frame;
}

/** From here on a second piece costs less than a copy. */
const LARGE_BYTES = 16 * 1024;

const resources = new WeakMap<Resource, Map<Form, Buffer>>();

/** By type, since types without resources have their contents in common; then by what is in initial form. */
type Contents = Map<TypeUrl, WeakMap<Transition, Map<string, Encoded>>>;
const contents: Readonly<Record<Variant, Contents>> = { delta: new Map(), 'state of the world': new Map() };

/** The bytes may be shared: they are not to be written to. */
export function encodeResponse(variant: Variant, { content, initialForm, typeUrl, nonce }: Response): Frame {
  const forms = formsOf(contents[variant], typeUrl, content);
  const { key } = initialForm;
  let encoded = forms.get(key);
  if (encoded === undefined) {
    encoded = { body: encodeContent(variant, typeUrl, content, initialForm), nonce: '', frame: [] };
    forms.set(key, encoded);
  }
  if (encoded.nonce !== nonce) {
    encoded.nonce = nonce;
    encoded.frame = frameOf(nonce, encoded.body);
  }
  return encoded.frame;
}

function frameOf(nonce: string, body: Buffer): Frame {
  const field5 = field(5, text(nonce));
  const before = [headOfFrame(field5.length + body.length), field5];
  if (body.length < LARGE_BYTES) return [unpooled(Buffer.concat([...before, body]))];
  return [unpooled(Buffer.concat(before)), body];
}

function formsOf(known: Contents, typeUrl: TypeUrl, content: Transition): Map<string, Encoded> {
  let ofType = known.get(typeUrl);
  if (ofType === undefined) {
    ofType = new WeakMap();
    known.set(typeUrl, ofType);
  }
  let forms = ofType.get(content);
  if (forms === undefined) {
    forms = new Map();
    ofType.set(content, forms);
  }
  return forms;
}

function encodeContent(
  variant: Variant,
  typeUrl: TypeUrl,
  content: Transition,
  initialForm: InitialForm,
): Buffer {
  const version = variant === 'delta' ? content.version : versionOf(content, initialForm);
  const parts = [field(1, text(version)), field(4, text(typeUrl))];
  for (const resource of content.resources)
    parts.push(encodeResource(resource, variant, initialForm.has(resource)));
  if (variant === 'delta') for (const name of content.removed) parts.push(field(6, text(name)));
  return unpooled(Buffer.concat(parts));
}

function encodeResource(resource: Resource, variant: Variant, isInitial: boolean): Buffer {
  const forms = resources.get(resource) ?? new Map<Form, Buffer>();
  resources.set(resource, forms);
  const initialBytes = isInitial ? resource.initialBytes : undefined;
  const form: Form = `${variant === 'delta' ? 'delta' : 'world'}${initialBytes === undefined ? '' : ', initial'}`;
  const known = forms.get(form);
  if (known !== undefined) return known;
  const { name, version, typeUrl, bytes } = resource;
  const any = Buffer.concat([field(1, text(typeUrl)), field(2, initialBytes ?? bytes)]);
  const inner =
    variant === 'delta' ? Buffer.concat([field(1, text(version)), field(2, any), field(3, text(name))]) : any;
  const bytesOfForm = unpooled(field(2, inner));
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
