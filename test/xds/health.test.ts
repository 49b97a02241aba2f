import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js';

import { decode, encode } from '../../src/envoy/codec.ts';
import type { HealthCheckRequest } from '../../src/envoy/protos/grpc/health/v1/HealthCheckRequest.ts';
import type { HealthCheckResponse } from '../../src/envoy/protos/grpc/health/v1/HealthCheckResponse.ts';
import { SERVED, stage } from './surroundings.ts';

const write = (message: HealthCheckRequest): Buffer => encode('grpc.health.v1.HealthCheckRequest', message);
const read = (bytes: Buffer): HealthCheckResponse => decode('grpc.health.v1.HealthCheckResponse', bytes);

async function check(client: Client, service: string): Promise<string> {
  return await new Promise((resolve) => {
    const done = (error: ServiceError | null, answer?: HealthCheckResponse): void =>
      resolve(error === null ? String(answer?.status) : status[error.code]);
    client.makeUnaryRequest('/grpc.health.v1.Health/Check', write, read, { service }, done);
  });
}

const services: [service: string, expected: string][] = [
  ['', 'SERVING'],
  ['envoy.service.discovery.v3.AggregatedDiscoveryService', 'SERVING'],
  ['envoy.service.cluster.v3.ClusterDiscoveryService', 'SERVING'],
  ['no.such.Service', 'NOT_FOUND'],
];
for (const [service, expected] of services) {
  test(`health of ${JSON.stringify(service)} is ${expected}`, async () => {
    await using here = await stage(SERVED);
    const client = new Client(here.server.address, credentials.createInsecure());
    try {
      assert.equal(await check(client, service), expected);
    } finally {
      client.close();
    }
  });
}

test('who watches the health is told when the server goes', async () => {
  const here = await stage(SERVED);
  const client = new Client(here.server.address, credentials.createInsecure());
  const call = client.makeServerStreamRequest('/grpc.health.v1.Health/Watch', write, read, { service: '' });
  const seen: string[] = [];
  let closed: Promise<void> | undefined;
  for await (const message of call) {
    seen.push(String((message as HealthCheckResponse).status));
    closed ??= here.server.close();
  }
  assert.deepEqual(seen, ['SERVING', 'NOT_SERVING']);
  client.close();
  await closed;
});
