import assert from 'node:assert/strict';
import { test } from 'node:test';

import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { startRedis, stopRedis } from '../../src/demo/redis-node.ts';
import { allCommands, KIND } from '../../src/redis/command-table.ts';
import { clientOf, planTo, proxyFor } from '../proxy/servers.ts';
import { needRedis } from './environment.ts';

const NAMES = allCommands().map(({ name }) => name);
const QUESTIONS = [...NAMES, 'client|list', 'OBJECT|ENCODING', 'none'].map((name) => `COMMAND INFO ${name}`);
const REFUSED = new Set(
  allCommands()
    .filter(({ kind }) => kind === KIND.refused)
    .map(({ name }) => name),
);
const isListed = (name: string): boolean => !REFUSED.has(name.split('|', 1)[0]!);

/** Servers list subcommands in any order, and Redis 7.0 has an empty set where there are none. */
function inOrder(entry: string): readonly string[] {
  return entry.replaceAll('~0\r\n', '*0\r\n').split('*10\r\n').toSorted();
}

for (const from of ['path', 'wheel'] as const) {
  test(`COMMAND is what the server from the ${from} says, but for what is refused`, async (t) => {
    const redis = await needRedis(t, from);
    if (redis === undefined) return;
    const folder = await temporaryFolder('command-info');
    t.after(() => removeFolder(folder));
    const node = await startRedis({ server: redis.server, folder });
    t.after(() => stopRedis(node));
    const { port } = await proxyFor(t, planTo(node.port));

    const ask = async (asked: number, protocol: number, questions: readonly string[]) => {
      const client = clientOf(t, asked);
      const mark = '$4\r\nmark\r\n';
      client.socket.write(
        `HELLO ${protocol}\r\nECHO mark\r\n${questions.join('\r\nECHO mark\r\n')}\r\nECHO mark\r\n`,
      );
      const replies = await eventually('the replies', () => {
        const parts = client.got().split(mark);
        return parts.length === questions.length + 2 ? parts : undefined;
      });
      return replies.slice(1, -1);
    };
    for (const protocol of [2, 3]) {
      const [through, direct] = [
        await ask(port, protocol, QUESTIONS),
        await ask(node.port, protocol, QUESTIONS),
      ];
      for (const [index, question] of QUESTIONS.entries())
        assert.deepEqual(inOrder(through[index]!), inOrder(direct[index]!), `${question} in RESP${protocol}`);
    }

    const names = (said = ''): readonly string[] => said.match(/(?<=\r\n)[a-z_|-]+(?=\r\n)/g) ?? [];
    const [listed, counted] = await ask(port, 2, ['COMMAND LIST', 'COMMAND COUNT']);
    const [there] = await ask(node.port, 2, ['COMMAND LIST']);
    const expected = names(there).filter(isListed);
    assert.ok(expected.includes('client|list') && expected.length < names(there).length);
    assert.deepEqual(names(listed).toSorted(), expected.toSorted());
    assert.equal(counted, `:${expected.filter((name) => !name.includes('|')).length}\r\n`);
  });
}
