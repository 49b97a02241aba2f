/** Random objects of a small world: few names, so that they meet, hide each other and come back. */
import type { ApiObject, RedisDestination, RedisService, RouteRule } from '../../src/api/objects.ts';
import { SecretText } from '../../src/api/secret-text.ts';
import type { ObservedMode } from '../../src/world/observation.ts';
import type { ObjectChanges } from '../../src/world/world.ts';
import type { Choose } from '../e2e/random.ts';
import {
  NO_ANNOTATIONS,
  redisDestination,
  redisService,
  rule,
  secret,
  service,
  serviceEntry,
  slice,
} from './objects.ts';

const NAMESPACES = ['a', 'b'];
/** Some of them name one host in several ways. */
const HOSTS = ['x.a', 'x.b', 'y.a.svc', 'x.a.svc.cluster.local', 'redis.example.com', '10.1.1.1'];

/** Of which something is observed. */
const PLACES = [
  'x.a.svc.cluster.local:6379',
  'y.a.svc.cluster.local:6379',
  'redis.example.com:6379',
  'redis.example.com:6379@a',
];

export class RandomWorld {
  readonly #random: Choose;

  constructor(random: Choose) {
    this.#random = random;
  }

  /** One or several changes that a source tells at once. */
  changes(): ObjectChanges {
    const changed = Array.from({ length: 1 + this.#random(2) }, () => this.#object());
    const isGone = (): boolean => this.#random(3) === 0;
    const set: ApiObject[] = [];
    const deleted: ApiObject[] = [];
    for (const object of changed) (isGone() ? deleted : set).push(object);
    const place = this.#pick(PLACES);
    const modes: readonly (ObservedMode | undefined)[] = ['cluster', 'standalone', 'sentinel', undefined];
    return {
      set,
      deleted,
      ...(this.#random(6) === 0 ? { observed: new Map([[place, this.#pick(modes)]]) } : {}),
      ...(this.#random(9) === 0 ? { generations: new Map([[place, this.#random(3)]]) } : {}),
    };
  }

  /** A name of one label in one namespace only: without a Service all namespaces share what is remembered of it. */
  #host(namespace: string): string {
    return this.#pick(namespace === 'a' ? [...HOSTS, 'x', 'y'] : HOSTS);
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random(from.length)] as T;
  }

  #maybe<T>(make: () => T): T | undefined {
    return this.#random(2) === 0 ? make() : undefined;
  }

  #often(): boolean {
    return this.#random(4) > 0;
  }

  #object(): ApiObject {
    const header = { namespace: this.#pick(NAMESPACES), createdMs: this.#pick([1, 2, Infinity]) };
    switch (this.#random(8)) {
      case 0:
      case 1:
        return this.#service(header);
      case 2:
      case 3:
        return service({
          ...header,
          name: this.#pick(['x', 'y']),
          hasSelector: this.#often(),
          isHeadless: this.#random(4) === 0,
          externalName: this.#often() ? undefined : 'elsewhere.example.com',
          clusterIps: [`10.0.0.${this.#random(3)}`],
          ports: this.#pick([
            [{ name: 'redis', port: 6379, targetPort: 7000, appProtocol: undefined }],
            [
              { name: 'redis', port: 6379, targetPort: undefined, appProtocol: undefined },
              { name: 'redis-2', port: 6380, targetPort: undefined, appProtocol: undefined },
            ],
            [
              { name: 'http', port: 80, targetPort: undefined, appProtocol: undefined },
              { name: 'https', port: 443, targetPort: undefined, appProtocol: undefined },
            ],
          ]),
        });
      case 4: {
        const serviceName = this.#pick(['x', 'y']);
        const addresses = Array.from({ length: this.#random(3) }, () => `10.0.1.${this.#random(4)}`);
        return slice(addresses, { ...header, serviceName, name: `${serviceName}-${this.#random(2)}` });
      }
      case 5:
        return this.#destination(header);
      case 6:
        return secret(this.#pick([{}, { password: 'one' }, { password: 'two', username: 'u' }]), {
          ...header,
          name: 'password',
          type: this.#often() ? 'Opaque' : 'kubernetes.io/service-account-token',
        });
      default:
        return serviceEntry({
          ...header,
          name: this.#pick(['e', 'f']),
          hosts: [this.#pick(['redis.example.com', 'x.a.svc.cluster.local'])],
          endpoints:
            this.#random(2) === 0 ? [] : [{ address: `10.0.2.${this.#random(3)}`, ports: new Map() }],
          exportTo: this.#pick([undefined, ['.'], ['*']]),
        });
    }
  }

  #service(header: Pick<RedisService, 'namespace' | 'createdMs'>): RedisService {
    const name = this.#pick(['r', 's', 't']);
    const host = (): string => this.#host(header.namespace);
    const hosts = [host(), ...(this.#often() ? [] : [host()])];
    return redisService({
      ...header,
      name,
      hosts,
      readPolicy: this.#pick(['MASTER', 'REPLICA', 'PREFER_REPLICA', 'ANY']),
      auth: this.#often() ? undefined : AUTH,
      rules: this.#random(3) === 0 ? [] : this.#rules(host),
      annotations: {
        ...NO_ANNOTATIONS,
        zoneAffinity: this.#random(4) === 0,
        guards: this.#often(),
        exportTo: this.#pick([undefined, undefined, ['.'], ['b']]),
        // Most of what has one address of its own can listen beside all others.
        listen:
          hosts.length === 1 && this.#often()
            ? [{ of: undefined, address: `127.0.1.${this.#random(20)}`, port: 6379 }]
            : [],
      },
    });
  }

  #rules(host: () => string): readonly RouteRule[] {
    const prefixes = this.#pick([[''], ['', 'p:'], ['p:']]);
    return prefixes.map((prefix) =>
      rule({
        prefix,
        host: host(),
        port: this.#pick([undefined, undefined, 6379, 6380]),
        reads: this.#often() ? undefined : { host: host(), port: undefined },
        mirrors: this.#often()
          ? []
          : [{ host: host(), port: undefined, percentage: 50, excludeReadCommands: false }],
      }),
    );
  }

  #destination(header: Pick<RedisDestination, 'namespace' | 'createdMs'>): RedisDestination {
    return redisDestination({
      ...header,
      name: this.#pick(['d', 'e']),
      host: this.#host(header.namespace),
      mode: this.#pick([undefined, 'CLUSTER', 'PROXY']),
      auth: this.#maybe(() => this.#pick([AUTH, PLAIN])),
      discoveryEndpoints: this.#often()
        ? []
        : [{ host: this.#pick(['10.9.9.9', 'y', 'x.b']), port: undefined }],
      maxConnections: this.#maybe(() => this.#random(3) + 1),
      tls: this.#often()
        ? undefined
        : {
            mode: 'SIMPLE',
            secretName: this.#maybe(() => 'password'),
            serverName: undefined,
            insecureSkipVerify: false,
          },
    });
  }
}

const AUTH = {
  kind: 'secret',
  name: 'password',
  passwordField: undefined,
  usernameField: undefined,
} as const;
const PLAIN = { kind: 'plain', username: undefined, password: new SecretText('plain') } as const;
