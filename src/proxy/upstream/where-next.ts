/**
 * Where a command goes that was not carried out on a connection of its own.
 */
import type { Node } from '../topology/node.ts';
import { MAX_HOPS, type Refusal } from './refusal.ts';
import type { Request } from '../wire/request.ts';
import type { Upstream } from './upstream.ts';

export type Next =
  | { readonly node: Node; readonly isAsking: boolean }
  /** To whoever has its place in a moment. */
  | 'later'
  /** It was redirected too often. */
  | 'nowhere';

/** undefined: it stays, and the refusal is its client's. */
export function whereNext(
  request: Request,
  refusal: Refusal,
  upstream: Upstream,
  from: Node,
): Next | undefined {
  switch (refusal.kind) {
    case 'moved':
    case 'ask': {
      if (!request.terms.followRedirections) {
        upstream.noteDoubt();
        return undefined;
      }
      if (request.hops === MAX_HOPS) return 'nowhere';
      const node = upstream.redirected(request, refusal, from);
      // What its upstream can't follow would be refused likewise again and again.
      if (node === undefined) return undefined;
      if (node === null) return later(request);
      request.hops += 1;
      return { node, isAsking: refusal.kind === 'ask' };
    }
    case 'unfit':
      from.update({ unfit: refusal.word });
      return later(request);
    case 'torn':
      upstream.noteMoving(request.place);
      return later(request);
    case 'later':
      return later(request);
  }
}

/** Each try begins anew, and may be redirected again: of keys that are half moved all of them are. */
function later(request: Request): 'later' {
  request.hops = 0;
  return 'later';
}
