/**
 * No kubelet runs in the tests, so what the manifests say of command lines, ports, files and probes is held to the code
 * here; that an API server takes them is another test.
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { parse } from 'yaml';

import { ENVOY_WHEEL } from '../src/demo/wheel.ts';
import { REDIS_PORT } from '../src/plan/routing-plan.ts';
import { ISTIO_KINDS, WATCHED_KINDS } from '../src/sources/kubernetes/kinds.ts';
import {
  containerOf,
  containersOf,
  documentsOf,
  find,
  optionsOf,
  podOf,
  root,
  scrapingOf,
  type Manifest,
} from './manifests.ts';

const controlPlane = documentsOf('control-plane');
const sidecar = documentsOf('sidecar');
const shared = documentsOf('shared');

const certificates = documentsOf('certificates');

const pods = {
  redpilot: podOf(controlPlane, 'redpilot'),
  app: podOf(sidecar, 'app'),
  shared: podOf(shared, 'redis'),
  certificates: podOf(certificates, 'redpilot-certificates', 'Job'),
  proxy: podOf(documentsOf('proxy'), 'redis-proxy'),
  proxySidecar: podOf(documentsOf('proxy-sidecar'), 'app'),
  proxyKubernetes: podOf(documentsOf('proxy-kubernetes'), 'redis-proxy'),
};
const server = containerOf(pods.redpilot, 'redpilot');
const bootstrap = containerOf(pods.app, 'bootstrap');
const envoy = containerOf(pods.app, 'envoy');
const proxies = [pods.proxy, pods.proxySidecar, pods.proxyKubernetes].map((pod) => containerOf(pod, 'proxy'));
const sharedBootstrap = containerOf(pods.shared, 'bootstrap');
const sharedEnvoy = containerOf(pods.shared, 'envoy');

test('the command lines are calls that redpilot takes', () => {
  assert.equal(optionsOf(server)['kubernetes'], true);
  assert.equal(optionsOf(bootstrap)['namespace'], 'app');
  for (const proxy of proxies) assert.equal(optionsOf(proxy)['namespace'], 'app');
});

test('variables in command lines are set', () => {
  for (const container of [server, bootstrap, sharedBootstrap, ...proxies]) {
    const used = (container.args ?? []).flatMap((word) =>
      Array.from(word.matchAll(/\$\((\w+)\)/g), ([, name]) => name),
    );
    const set = container.env?.map(({ name }) => name) ?? [];
    assert.deepEqual(
      used.filter((name) => !set.includes(name ?? '')),
      [],
    );
  }
});

test('ports of the container, the Service, the NetworkPolicy and the sidecar are those that redpilot listens on', () => {
  const { xdsAddress, adminAddress } = optionsOf(server) as Record<string, { readonly port: number }>;
  assert.deepEqual(server.ports, [
    { name: 'xds', containerPort: xdsAddress?.port },
    { name: 'admin', containerPort: adminAddress?.port },
  ]);
  const { spec: service } = find(controlPlane, 'Service', 'redpilot') as {
    readonly spec: { readonly ports: unknown };
  };
  assert.deepEqual(service.ports, [{ name: 'grpc-xds', port: xdsAddress?.port, targetPort: 'xds' }]);
  const policy = JSON.stringify(find(controlPlane, 'NetworkPolicy', 'redpilot').spec);
  assert.deepEqual(
    Array.from(policy.matchAll(/"port":(\d+)/g), ([, port]) => Number(port)),
    [xdsAddress?.port, adminAddress?.port],
  );
  for (const container of [bootstrap, sharedBootstrap]) {
    assert.deepEqual(optionsOf(container)['xdsAddress'], {
      host: 'redpilot.redpilot.svc.cluster.local',
      port: xdsAddress?.port,
    });
  }
});

test('probes ask for paths that the admin server answers', () => {
  const source = readFileSync(new URL('../src/admin/admin-server.ts', import.meta.url), 'utf8');
  for (const probe of ['readinessProbe', 'livenessProbe']) {
    const { httpGet } = server[probe] as {
      readonly httpGet: { readonly path: string; readonly port: string };
    };
    assert.ok(source.includes(`'${httpGet.path}'`), httpGet.path);
    assert.equal(httpGet.port, 'admin');
  }
});

test('Prometheus is sent to the admin of whoever has one', () => {
  for (const [folder, name, container] of [
    ['control-plane', 'redpilot', server],
    ['proxy', 'redis-proxy', proxies[0]],
    ['proxy-sidecar', 'app', proxies[1]],
    ['proxy-kubernetes', 'redis-proxy', proxies[2]],
  ] as const) {
    assert.ok(container);
    const { adminAddress } = optionsOf(container) as Record<string, { readonly port: number }>;
    const expected = { scrape: 'true', port: String(adminAddress?.port), path: '/metrics' };
    const found = scrapingOf(documentsOf(folder), name);
    assert.deepEqual(
      Object.fromEntries(
        Object.entries(found).map(([key, value]) => [key.replace('prometheus.io/', ''), value]),
      ),
      expected,
      folder,
    );
  }
});

test('every file of a command line is in a volume, and every volume is there', () => {
  for (const pod of Object.values(pods)) {
    const volumes = pod.volumes?.map(({ name }) => name) ?? [];
    for (const { name, args = [], volumeMounts = [] } of containersOf(pod)) {
      for (const mount of volumeMounts) assert.ok(volumes.includes(mount.name), `${name}: ${mount.name}`);
      const files = args
        .map((word) => word.replace(/^--[a-z-]+=/, ''))
        .filter((word) => word.startsWith('/'));
      for (const file of files) {
        const isMounted = volumeMounts.some(({ mountPath }) => file.startsWith(`${mountPath}/`));
        assert.ok(isMounted, `${name}: ${file} is in no volume`);
      }
    }
  }
});

for (const [what, ofPod, started] of [
  ['beside an application', bootstrap, envoy],
  ['that is shared', sharedBootstrap, sharedEnvoy],
] as const) {
  test(`an Envoy ${what} starts from the file that bootstrap writes, drains as long as it says, and is the version that is tested`, () => {
    const { file, drainSeconds } = optionsOf(ofPod);
    const args = started.args ?? [];
    assert.equal(args[args.indexOf('--config-path') + 1], file);
    assert.equal(args[args.indexOf('--drain-time-s') + 1], String(drainSeconds));
    assert.equal(started.image, `envoyproxy/envoy:v${ENVOY_WHEEL.version}`);
  });
}

test('an Envoy beside an application starts before it and ends after it', () => {
  assert.equal(envoy['restartPolicy'], 'Always');
});

test('a proxy connects where the control plane listens, or follows the cluster itself', () => {
  const [central, beside, alone] = proxies.map(optionsOf);
  const { xdsAddress } = optionsOf(bootstrap);
  assert.deepEqual([central?.['xdsAddress'], beside?.['xdsAddress']], [xdsAddress, xdsAddress]);
  assert.deepEqual([alone?.['xdsAddress'], alone?.['kubernetes']], [undefined, true]);
});

test('a proxy is reached at the ports that it listens on, and asked there how it is', () => {
  for (const proxy of proxies) {
    const { adminAddress } = optionsOf(proxy) as Record<
      string,
      { readonly host: string; readonly port: number }
    >;
    const admin = proxy.ports?.find(({ name }) => name === 'admin');
    assert.deepEqual([admin?.containerPort, adminAddress?.host], [adminAddress?.port, '0.0.0.0']);
    const asked = ['startupProbe', 'readinessProbe', 'livenessProbe'].flatMap((probe) => proxy[probe] ?? []);
    assert.deepEqual(asked, [
      { ...(asked[0] as object), httpGet: { path: '/readyz', port: 'admin' } },
      { ...(asked[1] as object), httpGet: { path: '/healthz', port: 'admin' } },
    ]);
  }
  for (const folder of ['proxy', 'proxy-kubernetes']) {
    const { spec } = find(documentsOf(folder), 'Service', 'redis-proxy') as {
      readonly spec: { readonly ports: unknown };
    };
    assert.deepEqual(spec.ports, [{ name: 'redis', port: 6379, targetPort: 'redis' }]);
    const proxy = containerOf(podOf(documentsOf(folder), 'redis-proxy'), 'proxy');
    assert.equal(optionsOf(proxy)['bind'], '0.0.0.0');
    assert.ok(proxy.ports?.some(({ name, containerPort }) => name === 'redis' && containerPort === 6379));
  }
});

test('who is behind a Service goes on while clients are still led there', () => {
  const behind = [pods.shared, pods.proxy, pods.proxyKubernetes];
  const lifecycles = behind.map(({ containers: [serving] }) => serving?.['lifecycle']);
  // The proxy's image has no program that sleeps.
  const proxy = { preStop: { sleep: { seconds: 15 } } };
  assert.deepEqual(lifecycles, [{ preStop: { exec: { command: ['sleep', '15'] } } }, proxy, proxy]);
});

test('a sidecar finds Redis itself under the name that leads the application to it', () => {
  for (const folder of ['sidecar', 'proxy-sidecar']) {
    const documents = documentsOf(folder);
    const { hostAliases = [], initContainers = [] } = podOf(documents, 'app');
    const names = hostAliases.flatMap(({ hostnames }) => hostnames);
    assert.ok(names.length > 0);
    const mount = initContainers.at(-1)?.volumeMounts?.find(({ mountPath }) => mountPath === '/etc/hosts');
    const { data } = find(documents, 'ConfigMap', mount?.name ?? '') as unknown as {
      readonly data: { readonly hosts: string };
    };
    for (const name of names) assert.ok(!data.hosts.includes(name), name);
  }
});

test("a proxy as sidecar serves the application's hosts and no others", () => {
  const pod = pods.proxySidecar;
  const names = (pod.hostAliases ?? []).flatMap(({ hostnames }) => hostnames);
  assert.deepEqual(optionsOf(containerOf(pod, 'proxy'))['hosts'], names);
});

test('a shared Envoy listens for every pod, on the port that its Service leads to and its probe asks', () => {
  const { bind, hosts } = optionsOf(sharedBootstrap);
  assert.equal(bind, '0.0.0.0');
  assert.equal((hosts as readonly string[]).length, 1);
  const [listener] = sharedEnvoy.ports ?? [];
  assert.ok(listener);
  assert.equal(listener.containerPort, REDIS_PORT);
  const { ports, selector } = find(shared, 'Service', 'redis').spec as {
    readonly ports: unknown;
    readonly selector: unknown;
  };
  assert.deepEqual(ports, [{ name: 'tcp', port: REDIS_PORT, targetPort: listener.name }]);
  const { template } = find(shared, 'Deployment', 'redis').spec as {
    readonly template: { readonly metadata: { readonly labels: unknown } };
  };
  assert.deepEqual(template.metadata.labels, selector);
  assert.ok(JSON.stringify(sharedEnvoy['readinessProbe']).includes(`/127.0.0.1/${listener.containerPort}`));
});

interface Overlay {
  readonly resources: readonly string[];
  readonly patches: readonly { readonly target: object; readonly patch: string }[];
}

/** What an overlay adds to the pods of every Deployment, by strategic merge. */
function addedBy(folder: string): {
  readonly to: string;
  readonly labels: object;
  readonly annotations: object;
} {
  const { resources, patches } = parse(
    readFileSync(`${root}${folder}/kustomization.yaml`, 'utf8'),
  ) as Overlay;
  const [{ target, patch } = { target: {}, patch: '' }] = patches;
  assert.deepEqual(target, { kind: 'Deployment' });
  const { spec } = parse(patch) as {
    readonly spec: { readonly template: { readonly metadata: { labels?: object; annotations?: object } } };
  };
  const { labels = {}, annotations = {} } = spec.template.metadata;
  return { to: resources.join(), labels, annotations };
}

test('in a mesh with sidecars the connections of an Envoy of ours pass istio-proxy by', () => {
  const { xdsAddress } = optionsOf(bootstrap) as Record<string, { readonly port: number }>;
  for (const [folder, to] of [
    ['istio-sidecar', '../sidecar'],
    ['istio-shared', '../shared'],
  ] as const) {
    assert.deepEqual(addedBy(folder), {
      to,
      labels: { 'sidecar.istio.io/inject': 'true' },
      annotations: {
        'traffic.sidecar.istio.io/excludeOutboundPorts': `${REDIS_PORT},${xdsAddress?.port}`,
      },
    });
  }
});

test('in an ambient mesh it is in the mesh, without a sidecar', () => {
  assert.deepEqual(addedBy('istio-ambient'), {
    to: '../shared',
    labels: { 'istio.io/dataplane-mode': 'ambient', 'sidecar.istio.io/inject': 'false' },
    annotations: {},
  });
});

test('the certificates of cert-manager are those that the pods mount, for the names that are asked for', () => {
  const certificates = documentsOf('cert-manager').filter(({ kind }) => kind === 'Certificate');
  const specs = certificates.map(
    ({ spec }) =>
      spec as {
        readonly secretName: string;
        readonly dnsNames?: readonly string[];
        readonly uris?: readonly string[];
      },
  );
  const mounted = Object.values(pods).flatMap(({ volumes = [] }) =>
    volumes.flatMap(({ secret }) => secret ?? []),
  );
  for (const { secretName } of mounted) {
    assert.ok(
      specs.some((spec) => spec.secretName === secretName),
      secretName,
    );
  }
  const { xdsAddress } = optionsOf(bootstrap) as Record<string, { readonly host: string }>;
  const serverNames = specs.find(({ secretName }) => secretName === 'redpilot-server-tls')?.dnsNames ?? [];
  assert.ok(serverNames.includes(xdsAddress?.host ?? ''));
  const uris = specs.flatMap((spec) => spec.uris ?? []);
  assert.deepEqual(uris, ['spiffe://cluster.local/ns/app/sa/redpilot']);
});

test('the Job and the CronJob that make certificates do the same, as a call that redpilot takes', () => {
  const [job, cron] = ['Job', 'CronJob'].map((kind) => find(certificates, kind, 'redpilot-certificates'));
  const template = (job as { spec: { template: object } }).spec.template;
  const { jobTemplate } = (cron as { spec: { jobTemplate: { spec: { template: object } } } }).spec;
  assert.deepEqual(jobTemplate.spec.template, template);
  const options = optionsOf(containerOf(pods.certificates, 'certificates'));
  assert.equal(options['kubernetes'], true);
  const { xdsAddress } = optionsOf(bootstrap) as Record<string, { readonly host: string }>;
  assert.ok((options['serverName'] as readonly string[]).includes(xdsAddress?.host ?? ''));
});

test('nothing runs as root, with rights or on a file system that it may write to', () => {
  for (const pod of Object.values(pods)) {
    assert.equal(pod.securityContext['runAsNonRoot'], true);
    assert.deepEqual(pod.securityContext['seccompProfile'], { type: 'RuntimeDefault' });
    for (const { name, securityContext } of containersOf(pod)) {
      assert.deepEqual(
        securityContext,
        { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
        name,
      );
    }
  }
});

test("a Secret's files, which are root's and not for everybody, are the pod's group's", () => {
  for (const [name, { volumes = [], securityContext }] of Object.entries(pods)) {
    if (!volumes.some(({ secret }) => secret !== undefined)) continue;
    assert.equal(securityContext['fsGroup'], securityContext['runAsGroup'], name);
  }
});

test('every container says what it needs, as namespaces with a quota demand it', () => {
  for (const pod of Object.values(pods)) {
    for (const { name, resources } of containersOf(pod)) {
      const { requests, limits } = (resources ?? {}) as Readonly<Record<string, object | undefined>>;
      assert.deepEqual(Object.keys(requests ?? {}), ['cpu', 'memory'], name);
      // A limit of CPU would throttle it while it is needed most.
      assert.deepEqual(Object.keys(limits ?? {}), ['memory'], name);
    }
  }
});

test('the rights are to list and watch what is watched, and Secrets by name only', () => {
  const { rules = [] } = find(controlPlane, 'ClusterRole', 'redpilot');
  const may = new Map(
    rules.flatMap(({ resources, verbs }) => resources.map((name) => [name, [...verbs]] as const)),
  );
  for (const { plural } of WATCHED_KINDS) assert.deepEqual(may.get(plural), ['list', 'watch'], plural);
  assert.deepEqual(may.get('secrets'), ['get']);
});

const rulesOf = (folder: string, name: string): Manifest['rules'] =>
  documentsOf(folder).find(({ kind, metadata }) => kind.endsWith('Role') && metadata.name === name)?.rules;

test('a proxy that follows the cluster itself has the rights to read of a control plane, and no others', () => {
  const { rules = [] } = find(controlPlane, 'ClusterRole', 'redpilot');
  const reading = rules.filter(({ verbs }) => verbs.includes('list') || verbs.includes('get'));
  assert.deepEqual(rulesOf('proxy-kubernetes', 'redpilot-proxy'), reading);
});

test('a control plane of one namespace has the same rights there', () => {
  assert.deepEqual(rulesOf('namespaced', 'redpilot-objects'), rulesOf('control-plane', 'redpilot'));
  assert.deepEqual(rulesOf('istio-namespaced', 'redpilot-istio'), rulesOf('istio', 'redpilot-istio'));
});

test("Istio's kinds are watched with its rights only, and the control plane is told to", () => {
  const may = new Map(
    (rulesOf('istio', 'redpilot-istio') ?? []).flatMap(({ resources, verbs }) =>
      resources.map((name) => [name, verbs] as const),
    ),
  );
  for (const { plural } of ISTIO_KINDS) assert.deepEqual(may.get(plural), ['list', 'watch'], plural);
  const { patches } = parse(readFileSync(`${root}istio/kustomization.yaml`, 'utf8')) as Overlay;
  const added = patches.flatMap(({ patch }) => {
    const operations: unknown = parse(patch);
    return Array.isArray(operations) ? (operations as readonly { readonly value: string }[]) : [];
  });
  const args = [...(server.args ?? []), ...added.map(({ value }) => value)];
  assert.equal(optionsOf({ ...server, args })['istio'], true);
});

test('every file of a kustomization is there, and every manifest is in one', () => {
  for (const file of globSync('**/kustomization.yaml', { cwd: root })) {
    const folder = file.replace(/kustomization\.yaml$/, '');
    const { resources } = parse(readFileSync(`${root}${file}`, 'utf8')) as {
      readonly resources: readonly string[];
    };
    const beside = globSync('*.yaml', { cwd: `${root}${folder}` }).filter(
      (name) => name !== 'kustomization.yaml',
    );
    assert.deepEqual(resources.filter((name) => name.endsWith('.yaml')).toSorted(), beside.toSorted(), file);
  }
});
