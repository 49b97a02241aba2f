/**
 * What a process has used so far, as Linux tells it.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** Processor time of all its threads, to the nanosecond; the ticks of /proc/PID/stat are 10 ms. */
export function cpuMs(pid: number): number {
  let sum = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const [ns = '0'] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
    sum += Number(ns) / 1e6;
  }
  return sum;
}

/** The most memory it ever had. */
export function peakMb(pid: number): number {
  const [, kb = '0'] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kb) / 1_024;
}
