import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parsed, said } from './parsing.ts';

test('of a Service its ports, selector and kind of address are read, and the rest is passed over', () => {
  const service = parsed('Service', {
    spec: {
      selector: { app: 'redis' },
      clusterIP: 'None',
      sessionAffinity: 'None',
      ports: [
        { name: 'redis', port: 6379, targetPort: 16379, appProtocol: 'redis', protocol: 'TCP' },
        { port: 80, targetPort: 'http' },
      ],
    },
    status: { loadBalancer: {} },
  });
  assert.equal(service.hasSelector, true);
  assert.equal(service.isHeadless, true);
  assert.equal(service.externalName, undefined);
  assert.deepEqual(service.ports, [
    { name: 'redis', port: 6379, targetPort: 16379, appProtocol: 'redis' },
    { name: '', port: 80, targetPort: undefined, appProtocol: undefined },
  ]);
});

test('a port of a Service that is not for TCP is none: the same number may be there for both', () => {
  const ports = [
    { name: 'redis', port: 6379 },
    { name: 'redis-udp', port: 6379, protocol: 'UDP' },
  ];
  const service = parsed('Service', { spec: { ports } });
  assert.deepEqual(
    service.ports.map(({ name }) => name),
    ['redis'],
  );
});

for (const [spec, addresses] of [
  [{ clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1', 'fd00::1'] }, ['10.0.0.1', 'fd00::1']],
  [{ clusterIP: '10.0.0.1' }, ['10.0.0.1']],
  [{ clusterIP: 'None', clusterIPs: ['None'] }, []],
  [{}, []],
] as const) {
  test(`virtual addresses of a Service with ${JSON.stringify(spec)} are ${addresses.join(' and ')}`, () => {
    assert.deepEqual(parsed('Service', { spec }).clusterIps, addresses);
  });
}

test('of a ServiceEntry its hosts, addresses, ports and endpoints are read', () => {
  const entry = parsed('ServiceEntry', {
    spec: {
      hosts: ['Redis.example.com'],
      location: 'MESH_EXTERNAL',
      resolution: 'STATIC',
      exportTo: ['.'],
      addresses: ['10.9.0.1', '10.9.1.0/24'],
      ports: [{ name: 'tcp-redis', number: 6379, protocol: 'TCP', targetPort: 7000 }],
      endpoints: [{ address: '192.0.2.1', ports: { 'tcp-redis': 7001 }, locality: 'a/b' }],
    },
    status: { addresses: [{ value: '240.240.0.1' }] },
  });
  assert.deepEqual(entry.hosts, ['redis.example.com']);
  assert.deepEqual(entry.addresses, ['10.9.0.1', '10.9.1.0/24']);
  assert.deepEqual(entry.exportTo, ['.']);
  assert.deepEqual(entry.ports, [{ name: 'tcp-redis', port: 6379, targetPort: 7000, appProtocol: 'tcp' }]);
  assert.deepEqual(entry.endpoints, [{ address: '192.0.2.1', ports: new Map([['tcp-redis', 7001]]) }]);
});

test('a ServiceEntry without addresses has those that Istio gave it', () => {
  const { addresses } = parsed('ServiceEntry', {
    spec: { hosts: ['a.b'] },
    status: { addresses: [{ value: '240.240.0.1', host: 'a.b' }, { value: '2001:2::1' }] },
  });
  assert.deepEqual(addresses, ['240.240.0.1', '2001:2::1']);
});

test('an empty selector is none', () => {
  assert.equal(parsed('Service', { spec: { selector: {}, ports: [] } }).hasSelector, false);
});

test('the external name counts with its type only', () => {
  const spec = { externalName: 'redis.example.com' };
  assert.equal(parsed('Service', { spec }).externalName, undefined);
  assert.equal(
    parsed('Service', { spec: { ...spec, type: 'ExternalName' } }).externalName,
    'redis.example.com',
  );
});

test('an EndpointSlice says its Service, addresses and the pods behind them', () => {
  const slice = parsed('EndpointSlice', {
    metadata: { name: 'a', namespace: 'ns', labels: { 'kubernetes.io/service-name': 'redis' } },
    addressType: 'IPv6',
    ports: [{ name: 'redis', port: 6379, protocol: 'TCP' }, { name: 'all' }],
    endpoints: [
      {
        addresses: ['::1'],
        conditions: { ready: false },
        targetRef: { kind: 'Pod', name: 'redis-0' },
        zone: 'z',
      },
      { addresses: ['::2'] },
    ],
  });
  assert.equal(slice.serviceName, 'redis');
  assert.deepEqual(slice.ports, [{ name: 'redis', port: 6379 }]);
  assert.deepEqual(slice.endpoints, [
    { addresses: ['::1'], targetName: 'redis-0' },
    { addresses: ['::2'], targetName: undefined },
  ]);
});

const addresses: [type: string, address: string, isLegal: boolean][] = [
  ['IPv4', '10.0.0.1', true],
  ['IPv4', '::1', false],
  ['IPv4', '10.0.0.256', false],
  ['IPv6', 'fe80::1', true],
  ['IPv6', '10.0.0.1', false],
  ['FQDN', 'redis.example.com', true],
];

for (const [addressType, address, isLegal] of addresses) {
  test(`${address} is ${isLegal ? 'an' : 'no'} ${addressType} address of an EndpointSlice`, () => {
    const lines = said('EndpointSlice', { addressType, endpoints: [{ addresses: [address] }] });
    assert.deepEqual(
      lines,
      isLegal
        ? []
        : [
            `error InvalidValue: endpoints[0].addresses[0]: "${address}" is not an ${addressType} address; ` +
              'write one, or correct addressType',
          ],
    );
  });
}

test('stringData overlays the decoded data of a Secret, as they are', () => {
  const secret = parsed('Secret', {
    data: { password: 'b2xk', user: 'YQ==\n', empty: '' },
    stringData: { password: ' new ' },
  });
  assert.equal(secret.type, 'Opaque');
  assert.deepEqual(
    [...secret.data].map(([key, value]) => [key, value.reveal()]),
    [
      ['password', ' new '],
      ['user', 'a'],
      ['empty', ''],
    ],
  );
});

const wrong: [what: string, fields: object, path: string][] = [
  ['a text that is not base64', { data: { password: 'never-to-be-shown' } }, 'data.password'],
  ['a number', { data: { password: 12345678 } }, 'data.password'],
  ['a list', { stringData: { password: ['never-to-be-shown'] } }, 'stringData.password'],
  ['a text in the place of all', { data: 'never-to-be-shown' }, 'data'],
];

for (const [what, fields, path] of wrong) {
  test(`of a Secret with ${what} the message names ${path} and not the value`, () => {
    const [line = '', ...more] = said('Secret', fields);
    assert.deepEqual(more, []);
    assert.ok(line.startsWith(`error InvalidValue: ${path}: `), line);
    assert.doesNotMatch(line, /never-to-be-shown|12345678/);
  });
}
