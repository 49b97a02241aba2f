/**
 * The floor: @grpc/grpc-js, and nothing else. Every response is encoded before it is needed, one Buffer serves all
 * streams, requests are not decoded, and nothing is remembered but the streams.
 *
 * Commands and resources as of ../go-control-plane/main.go; delta only.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

import { Server, ServerCredentials } from '@grpc/grpc-js';

import { CLUSTER_TYPE, LISTENER_TYPE, type Resource, type TypeUrl } from '../../../src/envoy/resource.ts';
import { ResourceSet, type Transition } from '../../../src/envoy/resource-set.ts';
import { messageOf } from '../../../src/xds/frames.ts';
import { NO_INITIAL_FORM } from '../../../src/xds/initial-form.ts';
import { SERVICES, type XdsCall } from '../../../src/xds/service.ts';
import { encodeResponse } from '../../../src/xds/wire.ts';

interface Line {
  readonly type: 'cluster' | 'listener';
  readonly name: string;
  readonly a: string;
  readonly b?: string;
}

const lines = readFileSync(process.argv[2] ?? '', 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Line);

function resource({ type, name, a, b }: Line, version: 'a' | 'b'): Resource {
  const typeUrl = type === 'cluster' ? CLUSTER_TYPE : LISTENER_TYPE;
  return { typeUrl, name, version, bytes: Buffer.from((version === 'a' ? a : b) ?? a, 'base64') };
}

let generation = 0;

function encode(typeUrl: TypeUrl, content: Transition): Buffer {
  generation += 1;
  const nonce = `${generation}`;
  const { removed, resources: fresh } = content;
  const response = { typeUrl, nonce, content, removed, fresh, retried: [], initialForm: NO_INITIAL_FORM };
  return messageOf(encodeResponse('delta', response));
}

function all(type: Line['type']): Buffer {
  const set = ResourceSet.of(lines.filter((line) => line.type === type).map((line) => resource(line, 'a')));
  return encode(type === 'cluster' ? CLUSTER_TYPE : LISTENER_TYPE, set.since(ResourceSet.empty));
}

const [allClusters, allListeners] = [all('cluster'), all('listener')];
const streams = new Set<XdsCall>();

function serve(call: XdsCall): void {
  streams.add(call);
  const answered = new Set<Buffer>();
  call.on('data', (request: Buffer) => {
    const answer = request.includes('cluster.v3') ? allClusters : allListeners;
    if (answered.has(answer)) return;
    answered.add(answer);
    call.write(answer);
  });
  const over = (): void => void streams.delete(call);
  call.on('error', over);
  call.on('close', over);
}

const server = new Server({ 'grpc.enable_channelz': 0 });
const [aggregated] = SERVICES;
if (aggregated !== undefined) server.addService(aggregated.definition, { DeltaAggregatedResources: serve });
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  process.stdout.write(`127.0.0.1:${port}\n`);
});

const listeners = lines.filter(({ type }) => type === 'listener');
let isB = false;
for await (const command of createInterface({ input: process.stdin })) {
  isB = !isB;
  const index = command === 'all' ? undefined : Number(command.split(' ')[1]);
  const changed = index === undefined ? listeners : listeners.slice(index, index + 1);
  const resources = changed.map((line) => resource(line, isB ? 'b' : 'a'));
  const response = encode(LISTENER_TYPE, { version: command, resources, removed: [] });
  for (const call of streams) call.write(response);
}
