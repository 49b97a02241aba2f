/**
 * Says once that a node gets no commands, and why, and once that it gets some again; that it does not let the proxy in; which
 * nodes become primaries; and why nobody says what the cluster looks like. A node that is away for less than a second is not
 * told: a machine that is busy has such moments.
 */
import type { Logger } from 'pino';

import { LoginLog } from './login-log.ts';
import type { Node } from './node.ts';

const PATIENCE_MS = 1_000;

/** Of those that never come back, as pods do, the oldest is forgotten. */
const MOST = 1_000;

function forgetOldest(byAddress: Map<string, unknown>): void {
  if (byAddress.size > MOST) byAddress.delete(byAddress.keys().next().value!);
}

export class NodeLog {
  readonly #upstream: string;
  readonly #log: Pick<Logger, 'info' | 'warn'>;
  /**
   * Of those that may not be asked, by address: since when, in milliseconds, or that it was told. The same server is another
   * node where its cluster's map has left it out meanwhile, as that of a failover does.
   */
  readonly #away = new Map<string, number | 'told'>();
  /** Of those that have refused one, by address. */
  readonly #logins = new Map<string, LoginLog>();
  /** Another one tells of the same servers from now on. */
  #isOver = false;
  /** undefined: there was no map yet. */
  #primaries: ReadonlySet<string> | undefined;
  /** Of the map, that were told; none while somebody says it. */
  readonly #mapProblems = new Set<string>();
  /** The last of them; undefined: somebody says it. */
  mapProblem: string | undefined;

  constructor(upstream: string, log: Pick<Logger, 'info' | 'warn'>) {
    this.#upstream = upstream;
    this.#log = log;
  }

  /** Takes over what `former` has told of the upstream whose place this one has, whose settings were mended maybe: its end is to be told. */
  succeed(former: NodeLog): void {
    for (const [address, away] of former.#away) if (away === 'told') this.#away.set(address, away);
    for (const [address, login] of former.#logins) this.#logins.set(address, login);
    former.#isOver = true;
  }

  /** Call it often. */
  look(node: Node, now: number): void {
    if (this.#isOver) return;
    const { address } = node;
    this.#lookAtLogin(node);
    const away = this.#away.get(address);
    if (node.isUsable) {
      // One that is new here passes for usable before anybody has asked it.
      if (away === undefined || (away === 'told' && !node.isProbed)) return;
      this.#away.delete(address);
      if (away === 'told') this.#log.info(`${this.#upstream}: ${address} gets commands again`);
    } else if (away === undefined) {
      this.#away.set(address, now);
      forgetOldest(this.#away);
    } else if (away !== 'told' && now - away >= PATIENCE_MS) {
      this.#away.set(address, 'told');
      this.#log.warn(`${this.#upstream}: ${address} gets no commands (${node.state})`);
    }
  }

  #lookAtLogin(node: Node): void {
    const { address, refusal } = node;
    if (refusal !== undefined && !this.#logins.has(address)) {
      this.#logins.set(address, new LoginLog(address, this.#log));
      forgetOldest(this.#logins);
    }
    if (refusal !== undefined || node.isProbed) this.#logins.get(address)?.tell(refusal);
  }

  /** By the map, each time it is told. A failover is nearly always why one is new. */
  lookAtPrimaries(addresses: readonly string[]): void {
    for (const address of addresses) {
      if (this.#primaries?.has(address) === false)
        this.#log.info(`${this.#upstream}: ${address} is a primary now`);
    }
    this.#primaries = new Set(addresses);
  }

  /**
   * Why nobody says what the cluster looks like; empty: somebody does. Each is told once until then: of a server that hangs up
   * now the one comes, now the other (read, write, connect).
   */
  lookAtMap(problem: string): void {
    this.mapProblem = problem === '' ? undefined : `nobody says what the cluster looks like (${problem})`;
    if (this.mapProblem === undefined) {
      if (this.#mapProblems.size > 0)
        this.#log.info(`${this.#upstream}: somebody says what the cluster looks like`);
      return this.#mapProblems.clear();
    }
    if (this.#mapProblems.has(problem)) return;
    this.#mapProblems.add(problem);
    this.#log.warn(`${this.#upstream}: ${this.mapProblem}`);
  }
}
