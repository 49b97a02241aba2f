import assert from 'node:assert/strict';
import { Invalidations } from '../../../src/proxy/upstream/invalidations.ts';
import { test } from 'node:test';

import type { ReadPolicy } from '../../../src/api/objects.ts';
import { Node } from '../../../src/proxy/topology/node.ts';
import { POLICIES, Shard, policyIndex } from '../../../src/proxy/topology/shard.ts';
import { keepaliveOf } from '../../../src/proxy/wire/socket.ts';

interface State {
  readonly isNear: boolean;
  readonly isDead?: boolean;
}

const NEAR = { isNear: true };
const FAR = { isNear: false };
const NEAR_DEAD = { isNear: true, isDead: true };

function nodeOf(port: number, state: State): Node {
  const node = new Node(
    {
      host: '127.0.0.1',
      port,
      connectTimeoutMs: 500,
      credentials: undefined,
      tls: undefined,
      keepalive: keepaliveOf(undefined),
      isClusterNode: true,
    },
    {
      invalidations: new Invalidations(),
      slow: null,
      doubted: () => false,
      refused: () => false,
      carriedOut: () => false,
      lost() {},
      changed() {},
    },
  );
  node.update({ isProbed: true, ...state });
  return node;
}

/** Who of [primary, first replica, second replica] answers reads. */
function readers(policy: ReadPolicy, states: readonly [State, State, State]): string {
  const [primary, ...replicas] = states.map((state, index) => nodeOf(index, state));
  assert.ok(primary);
  const shard = new Shard(primary, replicas);
  const asked = Array.from({ length: 6 }, () => shard.reader(policyIndex(policy, true)));
  const names = ['primary', 'first', 'second'];
  const found = new Set(asked.map((node) => (node === null ? 'nobody' : names[node.options.port])));
  return names
    .concat('nobody')
    .filter((name) => found.has(name))
    .join(' ');
}

const CASES: readonly (readonly [ReadPolicy, readonly [State, State, State], string])[] = [
  ['MASTER', [FAR, NEAR, NEAR], 'primary'],
  ['PREFER_MASTER', [FAR, NEAR, NEAR], 'primary'],
  ['PREFER_MASTER', [{ isNear: false, isDead: true }, FAR, NEAR], 'second'],
  ['REPLICA', [NEAR, FAR, NEAR], 'second'],
  ['REPLICA', [NEAR, FAR, FAR], 'first second'],
  ['REPLICA', [NEAR, FAR, NEAR_DEAD], 'first'],
  ['PREFER_REPLICA', [NEAR, FAR, NEAR], 'second'],
  ['PREFER_REPLICA', [NEAR, NEAR_DEAD, NEAR_DEAD], 'primary'],
  ['PREFER_REPLICA', [NEAR, FAR, NEAR_DEAD], 'first'],
  ['ANY', [NEAR, FAR, NEAR], 'second'],
  ['ANY', [NEAR, FAR, FAR], 'primary'],
  ['ANY', [FAR, FAR, FAR], 'first second'],
  ['ANY', [NEAR, FAR, NEAR_DEAD], 'primary'],
  ['ANY', [NEAR_DEAD, FAR, NEAR_DEAD], 'first'],
  ['ANY', [FAR, { isNear: false, isDead: true }, NEAR_DEAD], 'primary'],
];

for (const [policy, states, expected] of CASES) {
  const words = states.map(
    ({ isNear, isDead }) => `${isNear ? 'near' : 'far'}${isDead === true ? ', dead' : ''}`,
  );
  test(`${policy} with zones, primary and two replicas ${words.join('; ')}: ${expected}`, () => {
    assert.equal(readers(policy, states), expected);
  });
}

for (const prefersNear of [false, true]) {
  test(`what a busy primary says is for who would read from it${prefersNear ? ', in a zone too' : ''}`, () => {
    const [primary, replica] = [nodeOf(0, NEAR), nodeOf(1, NEAR_DEAD)];
    primary.update({ unfit: 'BUSY Redis is busy' });
    const shard = new Shard(primary, [replica]);
    const refusals = POLICIES.map((policy) => String(shard.refusing(policyIndex(policy, prefersNear))));
    const said = '-BUSY Redis is busy\r\n';
    assert.deepEqual(refusals, [said, said, 'undefined', said, said]);
  });
}
