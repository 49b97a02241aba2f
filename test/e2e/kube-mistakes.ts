import { destination, redisService, secret } from './kube-objects.ts';

export interface Mistake {
  readonly what: string;
  /** Beside the Service `cache`; the object that is judged is `wrong`. */
  readonly objects: (namespace: string) => readonly object[];
  readonly condition: string;
  readonly says: RegExp;
  readonly plural?: 'redisdestinations';
}

const wrong = (namespace: string, spec: object): object =>
  redisService(namespace, 'wrong', { host: ['cache'], ...spec });
const route = (host: string, port?: number): object => ({
  redis: [{ route: { host, ...(port === undefined ? {} : { port }) } }],
});
const askingFor = (asked: object): object => ({ settings: { auth: { secret: asked } }, ...route('cache') });
const annotated = (namespace: string, annotations: Readonly<Record<string, string>>): object => {
  const object = wrong(namespace, route('cache')) as { readonly metadata: object };
  return { ...object, metadata: { ...object.metadata, annotations } };
};
const ofType = (type: string, object: object): object => ({ ...object, type });

/** What the schema of the CRDs can't see, so the API server takes it. */
export const MISTAKES: readonly Mistake[] = [
  {
    what: 'a host whose Service is not there',
    objects: (ns) => [wrong(ns, { host: ['cahce'], ...route('cache') })],
    condition: 'ResolvedRefs=False/HostNotFound',
    says: /spec\.host\[0\]: there is no Service [^;]*cahce; create it, or correct the host/,
  },
  {
    what: 'a route to a Service that is not there',
    objects: (ns) => [wrong(ns, route('cahce'))],
    condition: 'ResolvedRefs=False/HostNotFound',
    says: /spec\.redis\[0\]\.route\.host: there is no Service/,
  },
  {
    what: 'a mirror to a Service that is not there',
    objects: (ns) => [
      wrong(ns, { redis: [{ route: { host: 'cache' }, mirror: [{ route: { host: 'copy' } }] }] }),
    ],
    condition: 'ResolvedRefs=False/HostNotFound',
    says: /spec\.redis\[0\]\.mirror\[0\]\.route\.host: there is no Service/,
  },
  {
    what: 'a port that the Service does not have',
    objects: (ns) => [wrong(ns, route('cache', 6380))],
    condition: 'ResolvedRefs=False/PortNotFound',
    says: /spec\.redis\[0\]\.route\.port: .*has no port 6380; it has 6379/,
  },
  {
    what: 'a host given twice in two forms',
    objects: (ns) => [wrong(ns, { host: ['cache', `cache.${ns}`], ...route('cache') })],
    condition: 'Accepted=False/Duplicate',
    says: /spec\.host\[1\]: .*same host as spec\.host\[0\]; remove one/,
  },
  {
    what: 'a Secret that is not there',
    objects: (ns) => [wrong(ns, askingFor({ name: 'clients' }))],
    condition: 'ResolvedRefs=False/SecretNotFound',
    says: /spec\.settings\.auth\.secret\.name: there is no Secret clients in namespace .*; create it there/,
  },
  {
    what: 'a Secret without the field',
    objects: (ns) => [secret(ns, 'clients', { word: 'a' }), wrong(ns, askingFor({ name: 'clients' }))],
    condition: 'ResolvedRefs=False/SecretFieldMissing',
    says: /Secret clients has no field password; it has word/,
  },
  {
    what: 'a field of a Secret that is misspelt',
    objects: (ns) => [
      secret(ns, 'clients', { password: 'a' }),
      wrong(ns, askingFor({ name: 'clients', passwordField: 'pasword' })),
    ],
    condition: 'ResolvedRefs=False/SecretFieldMissing',
    says: /auth\.secret\.passwordField: Secret clients has no such field; it has password/,
  },
  {
    what: 'an empty password',
    objects: (ns) => [secret(ns, 'clients', { password: ' ' }), wrong(ns, askingFor({ name: 'clients' }))],
    condition: 'ResolvedRefs=False/SecretFieldMissing',
    says: /field password of Secret clients is empty; give it a value/,
  },
  {
    what: 'a Secret of a type that is not for this',
    objects: (ns) => [
      ofType('example.com/token', secret(ns, 'clients', { password: 'a' })),
      wrong(ns, askingFor({ name: 'clients' })),
    ],
    condition: 'ResolvedRefs=False/SecretTypeRefused',
    says: /is of type example\.com\/token; only Opaque and kubernetes\.io\/basic-auth may hold a password/,
  },
  {
    what: "a service account's token as the password that is sent to Redis",
    objects: (ns) => [
      {
        ...ofType('kubernetes.io/service-account-token', secret(ns, 'robot', { token: 'a' })),
        metadata: {
          name: 'robot',
          namespace: ns,
          annotations: { 'kubernetes.io/service-account.name': 'robot' },
        },
      },
      {
        ...destination(ns, 'wrong', {}),
        spec: {
          host: 'cache',
          trafficPolicy: { connectionPool: { redis: { auth: { secret: { name: 'robot' } } } } },
        },
      },
      redisService(ns, 'cache'),
    ],
    condition: 'ResolvedRefs=False/SecretTypeRefused',
    says: /is of type kubernetes\.io\/service-account-token/,
    plural: 'redisdestinations',
  },
  {
    what: 'an address beyond loopback that nobody allowed',
    objects: (ns) => [annotated(ns, { 'redpilot.dev/listen': '0.0.0.0:6379' })],
    condition: 'Accepted=False/InvalidValue',
    says: /--allow-bind/,
  },
  {
    what: 'an annotation of ours that is misspelt',
    objects: (ns) => [annotated(ns, { 'redpilot.dev/exportto': '.' })],
    condition: 'Accepted=True/Accepted',
    says: /metadata\.annotations.*redpilot\.dev\/export-to/,
  },
  {
    what: 'no rule for all other keys',
    objects: (ns) => [wrong(ns, { redis: [{ match: { key: { prefix: 'a' } }, route: { host: 'cache' } }] })],
    condition: 'Accepted=True/Accepted',
    says: /spec\.redis: has no rule without match/,
  },
  {
    what: 'a policy that needs replicas where there are none',
    objects: (ns) => [
      destination(ns, 'cache', { mode: 'PROXY' }),
      wrong(ns, { settings: { readPolicy: 'REPLICA' }, ...route('cache') }),
    ],
    condition: 'Accepted=True/Accepted',
    says: /spec\.settings\.readPolicy: .*write MASTER/,
  },
  {
    what: 'a misspelt field that the API server drops',
    objects: (ns) => [wrong(ns, { settings: { optimeout: '5s' }, ...route('cache') })],
    condition: 'Accepted=True/Accepted',
    says: /spec\.settings\.optimeout: .*write opTimeout/,
  },
  {
    what: 'a field beside the place where it belongs',
    objects: (ns) => [wrong(ns, { readPolicy: 'REPLICA', ...route('cache') })],
    condition: 'Accepted=True/Accepted',
    says: /spec\.readPolicy: .*move it into spec\.settings/,
  },
];
