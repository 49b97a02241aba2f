/**
 * Files without any object, which nobody means: what was looked for, and where.
 */
import type { FilesContent } from '../sources/files/read.ts';

const KINDS = 'RedisService, RedisDestination, Service, EndpointSlice, Secret or ServiceEntry';

/** undefined: there are objects, or a reason why not. */
export function nothingFound(
  paths: readonly string[],
  { objects, diagnostics }: FilesContent,
): string | undefined {
  if (objects.length > 0 || diagnostics.length > 0) return undefined;
  const places = paths.map((path) => (path === '-' ? 'standard input' : path)).join(', ');
  return `nothing found in ${places}: no ${KINDS} (of a folder *.yaml, *.yml and *.json are read)`;
}
