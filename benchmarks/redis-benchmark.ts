/**
 * Runs redis-benchmark once and reads what it says.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export interface Load {
  readonly command: readonly string[];
  readonly pipeline: number;
  readonly clients: number;
  readonly bytes: number;
  readonly commands: number;
}

export interface Seen {
  readonly commands: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

const KEYS = 100_000;
/** Of large values, so that they fit into memory. */
const LARGE_KEYS = 10_000;
const LARGE_BYTES = 1_024;

export async function runRedisBenchmark(port: number, load: Load): Promise<Seen> {
  const { command, pipeline, clients, bytes, commands } = load;
  const options: readonly (readonly [string, number])[] = [
    ['-p', port],
    ['-c', clients],
    ['-n', commands],
    ['-P', pipeline],
    ['-d', bytes],
    ['-r', bytes < LARGE_BYTES ? KEYS : LARGE_KEYS],
  ];
  const args = options.flatMap(([name, value]) => [name, String(value)]);
  const { stdout } = await promisify(execFile)('redis-benchmark', [...args, '--csv', ...command], {
    maxBuffer: 1_048_576,
  });
  const line = stdout.trim().split('\n').at(-1) ?? '';
  const [, perSecond, , , p50, , p99] = line.split('","').map((cell) => cell.replaceAll('"', ''));
  if (perSecond === undefined) throw new Error(`redis-benchmark said: ${stdout}`);
  return { commands, perSecond: Number(perSecond), p50: Number(p50), p99: Number(p99) };
}
