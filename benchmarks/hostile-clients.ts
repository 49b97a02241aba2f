/** Hostile clients as a process of their own: PORT, SEED, how many at a time; until it is told to end. */
import { startHostileClients } from '../test/e2e/hostile-input.ts';

const [port = 0, seed = 0, clients = 0] = process.argv.slice(2).map(Number);
const hostile = startHostileClients(port, seed, clients);
process.on('SIGTERM', () => {
  hostile.stop();
  process.stdout.write(`${hostile.opened} connections\n`, () => process.exit());
});
