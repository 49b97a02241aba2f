import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import type { Command } from 'commander';
import { parseAllDocuments } from 'yaml';

import { createProgram, loadCommands } from '../src/cli.ts';
import { DRAIN_SECONDS } from '../src/demo/demo.ts';
import { ENVOY_WHEEL } from '../src/demo/wheel.ts';
import { addressOf, compose, copiesOf, flag, root, service, stages } from './container-files.ts';

const allCommands = await loadCommands();
const services = Object.entries(compose.services);
const ours = services.filter(([, { build }]) => build !== undefined);
const redisNodes = services.filter(([name]) => name.startsWith('redis-'));
const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
  readonly engines: { readonly node: string };
  readonly bin: { readonly redpilot: string };
  readonly scripts: Readonly<Record<string, string>>;
};
const finalStage = stages.at(-1) ?? assert.fail('the Dockerfile has no stage');

/** The options that a call has, without making it; fails where the command line would refuse it. */
function parsed(args: readonly string[]): Record<string, unknown> {
  const program = createProgram(allCommands);
  let options: Record<string, unknown> | undefined;
  for (const command of program.commands) {
    command.action(() => {
      options = command.opts();
    });
  }
  program.parse([...args], { from: 'user' });
  return options ?? assert.fail(`${args.join(' ')} runs no command`);
}

function commandNamed(name: string): Command {
  return createProgram(allCommands).commands.find((command) => command.name() === name) ?? assert.fail(name);
}

const portOf = (address: string): string => address.slice(address.lastIndexOf(':') + 1);

for (const [name, { command }] of ours) {
  test(`compose: redpilot ${command[0]} of ${name} is a call that the command line takes`, () => {
    assert.doesNotThrow(() => parsed(command));
  });
}

test('compose: every mounted folder is there, and every file of a command line is in one', () => {
  for (const [name, { command, volumes = [] }] of services) {
    const mounts = volumes.map((volume) => volume.split(':') as [from: string, to: string]);
    for (const [from] of mounts)
      assert.ok(from.startsWith('./') ? existsSync(`${root}${from}`) : from in compose.volumes, from);
    for (const path of command.filter((word) => word.startsWith('/'))) {
      const mount = mounts.find(([, to]) => path.startsWith(`${to}/`));
      assert.ok(mount, `${name}: ${path} is not in a volume`);
      const [from, to] = mount;
      if (from.startsWith('./')) assert.ok(existsSync(`${root}${from}${path.slice(to.length)}`), path);
    }
  }
});

test('compose: what must be healthy has a health check, and what must have completed ends by itself', () => {
  for (const [, { depends_on: needed = {} }] of services) {
    for (const [name, { condition }] of Object.entries(needed)) {
      if (condition === 'service_healthy') assert.ok(service(name).healthcheck, name);
      else assert.ok(['cluster', 'bootstrap'].includes(name), name);
    }
  }
});

test('compose: three shards of a primary and two replicas, formed of all Redis nodes', () => {
  const { command, depends_on: needed = {} } = service('cluster');
  const nodes = redisNodes.map(([, node]) => `${addressOf(node)}:6379`);
  assert.equal(nodes.length, 9);
  assert.deepEqual(
    command.filter((word) => word.includes(':')),
    nodes,
  );
  assert.deepEqual(flag(command, '--cluster-replicas'), ['2']);
  assert.deepEqual(
    Object.keys(needed),
    redisNodes.map(([name]) => name),
  );
});

test('compose: fixed addresses are in the network, apart from those given to others', () => {
  const [{ subnet, ip_range: range } = assert.fail('no subnet')] = compose.networks.demo.ipam.config;
  const prefix = subnet.replace(/\.0\/24$/, '.');
  const firstOfOthers = Number(range.replace(prefix, '').split('/', 1)[0]);
  for (const [, node] of redisNodes) {
    const address = addressOf(node) ?? '';
    assert.ok(address.startsWith(prefix), address);
    assert.ok(Number(address.slice(prefix.length)) < firstOfOthers, address);
  }
});

test("compose: the objects' seeds are Redis nodes, and Envoy's port for applications is the Service's", () => {
  const text = readFileSync(`${root}manifests/compose/redis-cluster.yaml`, 'utf8');
  const [clusterService, slice] = parseAllDocuments(text).map((document) => document.toJS() as unknown) as [
    { readonly spec: { readonly ports: readonly { readonly port: number }[] } },
    {
      readonly ports: readonly { readonly port: number }[];
      readonly endpoints: readonly { readonly addresses: readonly string[] }[];
    },
  ];
  const addresses = redisNodes.map(([, node]) => addressOf(node));
  for (const address of slice.endpoints.flatMap((endpoint) => endpoint.addresses))
    assert.ok(addresses.includes(address), address);
  assert.deepEqual(slice.ports, [{ name: 'redis', port: 6379 }]);
  assert.deepEqual(flag(service('load').command, '--envoy'), [
    `127.0.0.1:${clusterService.spec.ports[0]?.port}`,
  ]);
  assert.ok(addresses.includes(flag(service('load').command, '--redis')[0]?.replace(/:6379$/, '')));
});

test('compose: who connects names the port that is listened on', () => {
  const [bootstrapTo = ''] = flag(service('bootstrap').command, '--xds-address');
  const [servedOn = ''] = flag(service('control-plane').command, '--xds-address');
  assert.match(bootstrapTo, /^control-plane:/);
  assert.equal(portOf(bootstrapTo), portOf(servedOn));

  const admin = flag(service('bootstrap').command, '--envoy-admin');
  assert.deepEqual(flag(service('load').command, '--envoy-admin'), admin);
  const check = service('envoy').healthcheck?.test.join(' ') ?? '';
  assert.ok(check.includes(`/dev/tcp/${admin[0]?.replace(':', '/')} `), check);
  assert.equal(service('load').network_mode, 'service:envoy');

  const { host, port } = commandNamed('serve').opts()['adminAddress'] as { host: string; port: number };
  const ready = service('control-plane').healthcheck?.test.join(' ') ?? '';
  assert.ok(ready.includes(`'http://${host}:${port}/readyz'`), ready);
});

test('compose: the proxy connects where Envoy does, and its load asks the admin where it is', () => {
  const [toControlPlane] = flag(service('proxy').command, '--xds-address');
  assert.deepEqual(flag(service('bootstrap').command, '--xds-address'), [toControlPlane]);
  const { host, port } = commandNamed('proxy').opts()['adminAddress'] as { host: string; port: number };
  assert.deepEqual(flag(service('proxy-load').command, '--proxy-admin'), [`${host}:${port}`]);
  const ready = service('proxy').healthcheck?.test.join(' ') ?? '';
  assert.ok(ready.includes(`'http://${host}:${port}/readyz'`), ready);
  assert.equal(service('proxy-load').network_mode, 'service:proxy');
  assert.deepEqual(flag(service('proxy-load').command, '--proxy'), flag(service('load').command, '--envoy'));
});

test('compose: Envoy reads the bootstrap that was written, and drains as long as it says', () => {
  const { command } = service('envoy');
  assert.deepEqual(flag(command, '--config-path'), flag(service('bootstrap').command, '--file'));
  const drain = [String(DRAIN_SECONDS)];
  assert.deepEqual(flag(command, '--drain-time-s'), drain);
  assert.deepEqual(flag(service('bootstrap').command, '--drain-seconds'), drain);
});

test('compose: Envoy is of the version that the tests run', () => {
  assert.equal(service('envoy').image, `envoyproxy/envoy:v${ENVOY_WHEEL.version}`);
});

test('image: every stage has a Node that is new enough, and all have the same', () => {
  const majors = stages.map(({ image }) =>
    Number(/^(?:node:|gcr\.io\/distroless\/nodejs)(\d+)/.exec(image)?.[1]),
  );
  const least = Number(/^>=(\d+)/.exec(manifest.engines.node)?.[1]);
  assert.equal(new Set(majors).size, 1, majors.join(', '));
  assert.ok((majors[0] ?? 0) > least, `${majors[0]} is not above ${least}`);
});

test('image: what is copied is there, in the repository and let through by .dockerignore, or in an earlier stage', () => {
  const lines = readFileSync(`${root}.dockerignore`, 'utf8').trim().split('\n');
  assert.equal(lines[0], '*');
  const allowed = lines.slice(1).map((line) => line.replace(/^!/, ''));
  for (const [index, stage] of stages.entries()) {
    for (const { from, sources } of copiesOf(stage)) {
      for (const source of sources) {
        if (from === undefined) {
          assert.ok(existsSync(`${root}${source}`), source);
          assert.ok(allowed.includes(source.split('/', 1)[0] ?? ''), `.dockerignore hides ${source}`);
        } else {
          const made = stages.slice(0, index).find(({ alias }) => alias === from);
          assert.ok(made, `there is no stage ${from} before`);
          const what = source.replace('/redpilot/', '');
          const runs = made.instructions
            .filter(({ name }) => name === 'RUN')
            .map(({ words }) => words.join(' '));
          const makers: Readonly<Record<string, RegExp>> = {
            node_modules: /^npm ci /,
            dist: /^npm run build$/,
            '/bootstrap': /^mkdir \/bootstrap$/,
          };
          const maker = makers[what] ?? assert.fail(`nothing is known to make ${what}`);
          assert.ok(
            runs.some((run) => maker.test(run)),
            `${from} does not make ${what}`,
          );
        }
      }
    }
  }
});

test('image: the npm scripts that it runs exist', () => {
  const runs = stages.flatMap(({ instructions }) => instructions.filter(({ name }) => name === 'RUN'));
  const scripts = runs.flatMap(({ words }) => flag(words, 'run'));
  assert.deepEqual(scripts, ['build']);
  for (const script of scripts) assert.ok(script in manifest.scripts, script);
});

test('image: it runs the program of the package as a user who is not root', () => {
  const last = (name: string): string =>
    finalStage.instructions.findLast((instruction) => instruction.name === name)?.words.join(' ') ?? '';
  const [uid = '0'] = last('USER').split(':');
  assert.ok(Number(uid) > 0, last('USER'));
  assert.deepEqual(JSON.parse(last('ENTRYPOINT')), [
    '/nodejs/bin/node',
    `/redpilot/${manifest.bin.redpilot}`,
  ]);
  assert.equal(last('WORKDIR'), '/redpilot');
});

test('image: it exposes the ports where serve listens by default', () => {
  const exposed = finalStage.instructions.find(({ name }) => name === 'EXPOSE')?.words;
  const options = commandNamed('serve').opts() as Record<string, { readonly port: number }>;
  assert.deepEqual(exposed, [String(options['xdsAddress']?.port), String(options['adminAddress']?.port)]);
});
