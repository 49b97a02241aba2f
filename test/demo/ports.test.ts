import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';

import { checkFree, freePorts } from '../../src/demo/child-process.ts';

test('a port that is taken is told in one line, with the flag that gives another', async (t) => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  t.after(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  await assert.rejects(checkFree(port), {
    message: `127.0.0.1:${port} is in use by another process; give another with --port`,
  });
});

test('a free port is free still after it was looked at', async () => {
  const [port = 0] = await freePorts(1);
  await checkFree(port);
  await checkFree(port);
});
