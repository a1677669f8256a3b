/**
 * Clients of the simulated cluster: they ask random nodes for random things, some of which die
 * before they answer, and hold every answer against what they were told before.
 */
import { TschedError } from '../../src/model/errors.ts';
import { formatTaskId, slotCount, type TaskId } from '../../src/model/ids.ts';
import { noResources, tiers } from '../../src/model/resources.ts';
import { keySlot } from '../../src/model/slots.ts';
import type { TaskSpec } from '../../src/model/spec.ts';
import type { TaskView } from '../../src/model/task.ts';
import type { Random } from '../../src/ports/clock.ts';
import type { NodeApi, SubmitRequest } from '../../src/ports/node-api.ts';
import type { SubmitReply } from '../../src/ports/submit-reply.ts';
import type { SimCluster } from './cluster.ts';
import type { Asked } from './history/task-history.ts';
import type { SimNode } from './sim-node.ts';
import type { SimProcess } from './sim-process.ts';
import { Violation } from './violation.ts';

const actor = { name: 'client', tenant: 'default' };
/** Tasks of one run: fewer where many are long, or a small cluster would be busy for hours. */
const tasksMax = 400;
const longTasksMax = 100;
const gangsMax = 60;
/** Answers that say honestly that something cannot be done now, or that it is not known. */
const honest = new Set<string>([
  'noQuorum',
  'outcomeUnknown',
  'overloaded',
  'diskFull',
  'starting',
  'notLeader',
  'nodeUnreachable',
  'unreachable',
  // It has not heard yet what all nodes read.
  'notYet',
]);

/** Of these: what says that nothing was done and nothing will be. */
const definite = new Set<string>([
  ...['noQuorum', 'overloaded', 'diskFull', 'starting', 'neverFits', 'notYet'],
]);

interface Known {
  readonly request: SubmitRequest & { readonly id: TaskId };
}

/** A request without an answer yet. */
interface Waiting {
  readonly node: string;
  readonly sinceMs: number;
  readonly ask: (api: NodeApi) => Promise<unknown>;
}

export class Workload {
  readonly #cluster: SimCluster;
  readonly #random: Random;
  readonly #known: Known[] = [];
  /** Gangs that were asked for, each as the requests for all of it. */
  readonly #gangs: (readonly (SubmitRequest & { readonly id: TaskId })[])[] = [];
  readonly #keySpecs = new Map<string, TaskSpec>();
  /** A stream of its own: what is drawn elsewhere stays as it was. */
  readonly #orders: Random;
  /** New tasks of the dead letters that were replayed. */
  readonly #replayed = new Map<TaskId, TaskId>();
  /** Requests without an answer, with the process that was asked. */
  readonly #waiting = new Map<Waiting, SimProcess>();
  #drawn = 0;
  #running = false;
  readonly counts = { asked: 0, acknowledged: 0, refused: 0, unknown: 0, tasks: 0 };

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
    this.#random = cluster.random('workload');
    this.#orders = cluster.random('orders');
  }

  start(): void {
    this.#running = true;
    const next = (): void => {
      if (!this.#running) return;
      this.#request();
      const meanMs = this.#cluster.options.requestEveryMs;
      this.#cluster.time.after(this.#below(2 * meanMs + 1), next);
    };
    next();
  }

  stop(): void {
    this.#running = false;
  }

  /** Whether every request has its answer, but for those whose node died. */
  get idle(): boolean {
    for (const process of this.#waiting.values()) if (process.alive) return false;
    return true;
  }

  /** Requests without an answer, for a person. */
  describeWaiting(): string {
    const waiting = [...this.#waiting].filter(([, process]) => process.alive);
    return waiting
      .slice(0, 5)
      .map(([{ node, sinceMs, ask }]) => `${node} since ${sinceMs.toFixed()}: ${String(ask)}`)
      .join('; ');
  }

  #below(count: number): number {
    return Math.floor((this.#random.uint32() / 2 ** 32) * count);
  }

  #pick<T>(values: readonly T[]): T | undefined {
    return values[this.#below(values.length)];
  }

  #request(): void {
    const asked = this.#pick(this.#cluster.nodes.filter(one => one.running));
    if (asked?.node === undefined) return;
    this.counts.asked++;
    if (this.#cluster.options.gangs === true && this.#below(4) === 0) {
      this.#requestGang(asked);
      return;
    }
    const kind = this.#below(100);
    const known = this.#pick(this.#known);
    if (kind < 50 || known === undefined) this.#submit(asked, this.#newRequests());
    else if (kind < 60) this.#submit(asked, [known.request]);
    else if (kind < 70) this.#cancel(asked, known.request.id);
    else if (kind < 85) this.#get(asked, known.request.id);
    else if (kind < 93) this.#wait(asked, known.request.id);
    else if (kind < 96) this.#background(asked, api => api.list({ limit: 5 }));
    else if (kind < 98) this.#background(asked, api => api.explain(known.request.id));
    else if (this.#isOrdered()) this.#deadLetter(asked, known.request.id);
    else this.#retry(asked, known.request.id);
  }

  /** By a coin, where this run is about order keys and dead letters at all. */
  #isOrdered(): boolean {
    const { orderedPercent } = this.#cluster.options;
    return orderedPercent > 0 && this.#orders.uint32() % 100 < orderedPercent;
  }

  #inLine(spec: TaskSpec): TaskSpec {
    if (!this.#isOrdered()) return spec;
    const orderKey = `line ${this.#orders.uint32() % 6}`;
    if (this.#orders.uint32() % 3 > 0) return { ...spec, orderKey };
    return { ...spec, orderKey, attempts: 3, retryOn: ['1', 'timeout'] };
  }

  /** A new gang, an old one again, or something about one of it. */
  #requestGang(node: SimNode): void {
    const old = this.#pick(this.#gangs);
    const kind = this.#below(10);
    const gang = old === undefined || (kind < 5 && this.#gangs.length < gangsMax) ? undefined : old;
    const requests = gang ?? this.#newGang();
    const one = this.#pick(requests)!.id;
    if (gang === undefined || kind < 7) this.#submit(node, requests);
    else if (kind === 7) this.#cancel(node, one);
    else this.#get(node, one);
  }

  #newGang(): readonly (SubmitRequest & { readonly id: TaskId })[] {
    const size = 2 + this.#below(4);
    const { idempotencyKey: _, ...plain } = this.#spec();
    const request = { ...plain.request, cpuMilli: 400 + 200 * this.#below(5) };
    const attempts = 1 + this.#below(4);
    const spec = {
      ...plain,
      tier: 'basic' as const,
      gang: size,
      attempts,
      request,
      limit: request,
    };
    const slot = this.#below(slotCount);
    const atMs = 1_767_225_600_000 + Math.floor(this.#cluster.time.nowMs);
    const idAt = (): TaskId => formatTaskId({ atMs, slot, random: this.#drawn++ });
    const arrayId = idAt();
    const gang = Array.from({ length: size }, (__, arrayIndex) => ({
      id: idAt(),
      spec,
      arrayId,
      arrayIndex,
    }));
    this.#gangs.push(gang);
    return gang;
  }

  #newRequests(): SubmitRequest[] {
    const most = this.#cluster.options.longTaskPercent > 20 ? longTasksMax : tasksMax;
    if (this.counts.tasks >= most) return [];
    const count = this.#below(8) === 0 ? 1 + this.#below(20) : 1;
    const spec = this.#spec();
    const requests: SubmitRequest[] = [];
    for (let at = 0; at < count; at++) {
      const keyed = this.#below(8) === 0;
      if (keyed) requests.push({ spec: this.#keyed() });
      else if (this.#below(2) === 0) requests.push({ spec: this.#inLine(spec) });
      else requests.push(this.#withId({ spec: this.#inLine(spec) }));
    }
    this.counts.tasks += requests.length;
    return requests;
  }

  /** With an ID that the client drew, so that it can repeat the request whatever the answer is. */
  #withId(request: SubmitRequest): SubmitRequest {
    const id = formatTaskId({
      atMs: 1_767_225_600_000 + Math.floor(this.#cluster.time.nowMs),
      slot: this.#slotOf(request.spec),
      random: this.#drawn++,
    });
    const known = { request: { ...request, id } };
    this.#known.push(known);
    return known.request;
  }

  #slotOf(spec: TaskSpec): number {
    const drawn = this.#below(slotCount);
    return keySlot(spec) ?? drawn;
  }

  #spec(): TaskSpec {
    const words = ['sim', `ms=${this.#durationMs()}`];
    if (this.#below(6) === 0) words.push('exit=1');
    if (this.#below(12) === 0) words.push('startfail');
    if (this.#below(4) === 0) words.push('stubborn');
    const request = {
      ...noResources,
      cpuMilli: 100 + 100 * this.#below(this.#below(4) === 0 ? 30 : 10),
      memoryBytes: 1_000_000 * (1 + this.#below(500)),
      ports: this.#cluster.options.ports === true ? this.#below(5) : 0,
    };
    return {
      tenant: 'default',
      owner: 'client',
      name: '',
      run: this.#below(20) === 0 ? { kind: 'null' } : { kind: 'command', argv: words },
      env: [],
      cwd: '',
      tier: this.#below(3) === 0 ? tiers[this.#below(3)]! : 'basic',
      request,
      limit: request,
      labels: [],
      require: [],
      attempts: 1 + this.#below(3),
      backoff: { initialMs: this.#below(500), maxMs: 1_000 },
      capMs: this.#below(5) === 0 ? 200 + this.#below(2_000) : 0,
      graceMs: 200 + this.#below(2_000),
      leaseMs: this.#pick([5_000, 5_000, 6_000, 10_000, 20_000])!,
      outputBytesMax: 1_000_000,
    };
  }

  #durationMs(): number {
    if (this.#below(100) < this.#cluster.options.longTaskPercent) {
      return 4_000 + this.#below(22_000);
    }
    return this.#below(4) === 0 ? 500 + this.#below(2_000) : 5 + this.#below(200);
  }

  /** The specification of one of a few keys, always the same for one key. */
  #keyed(): TaskSpec {
    const key = `key ${this.#below(12)}`;
    let spec = this.#keySpecs.get(key);
    if (spec === undefined) {
      spec = { ...this.#spec(), idempotencyKey: key };
      this.#keySpecs.set(key, spec);
    }
    return spec;
  }

  #submit(node: SimNode, requests: readonly SubmitRequest[]): void {
    if (requests.length === 0) return;
    const { history } = this.#cluster;
    const callAt = history.now();
    const asked = requests.map(({ id }) =>
      id === undefined ? undefined : history.asks(id, 'submit'),
    );
    this.#then(
      node,
      api => api.submit(requests, actor),
      replies => {
        replies.forEach((reply, position) => {
          this.#replied(requests[position]!, reply);
          this.#remember(reply, requests[position]?.id, asked[position], callAt);
        });
      },
    );
  }

  /** Puts the answer to a submit into the history of the task that it is about. */
  #remember(
    reply: SubmitReply,
    asked: TaskId | undefined,
    open: Asked | undefined,
    callAt: number,
  ): void {
    if (reply.id === undefined) return;
    // The ID was drawn by the node, or the key has a task of another one.
    const mine = open !== undefined && reply.id === asked;
    if (!reply.ok && reply.code === 'idExpired') {
      // It is not there: it comes too late, or was taken, and left the history while the node that
      // was asked did not know that and repeated it.
      const { history } = this.#cluster;
      if (!mine) history.asks(reply.id, 'submit', callAt);
      history.asks(reply.id, 'read', callAt).saw(undefined);
    } else if (!reply.ok && definite.has(reply.code)) {
      (mine ? open : this.#cluster.history.asks(reply.id, 'submit', callAt)).refused();
    } else {
      const submit = mine ? open : this.#cluster.history.asks(reply.id, 'submit', callAt);
      if (reply.ok) submit.done();
    }
  }

  #replied(request: SubmitRequest, reply: SubmitReply): void {
    const { spec } = request;
    if (!reply.ok) {
      if (reply.code === 'outcomeUnknown') this.counts.unknown++;
      else this.counts.refused++;
      // The entry that let tasks expire may be applied in the same turn, before it was looked at.
      const late = reply.code === 'idExpired' && this.#cluster.options.historyMs !== undefined;
      if (!honest.has(reply.code) && reply.code !== 'neverFits' && !late) {
        throw new Violation('correctness', `submit answered ${reply.code}: ${reply.message}`);
      }
      if (reply.id !== undefined && request.id === undefined) {
        this.#known.push({ request: { ...request, id: reply.id } });
      }
      return;
    }
    this.counts.acknowledged++;
    this.#cluster.trace.mix(reply.id);
    this.#cluster.acknowledged.submitted(reply.id, spec.idempotencyKey);
    if (request.id === undefined) this.#known.push({ request: { ...request, id: reply.id } });
    else if (spec.idempotencyKey === undefined && reply.id !== request.id) {
      throw new Violation('correctness', `task ${request.id} was acknowledged as ${reply.id}`);
    }
  }

  #cancel(node: SimNode, id: TaskId): void {
    const { acknowledged, attempts, history } = this.#cluster;
    const expected = acknowledged.expectation(attempts, id);
    const callAt = history.now();
    const asked = history.asks(id, 'cancel');
    this.#then(
      node,
      api => api.cancel([id], 'not wanted', actor),
      ([reply]) => {
        if (reply === undefined) throw new Violation('correctness', 'cancel gave no reply');
        // It may have been done at a first try, whose answer did not reach the node.
        if (reply.ok) asked.done();
        else if (reply.code === 'alreadySettled') history.asks(id, 'settled', callAt).done();
        else if (reply.code === 'unknownTask') history.asks(id, 'read', callAt).saw(undefined);
        else if (definite.has(reply.code)) asked.refused();
        if (reply.ok) acknowledged.cancelled(id);
        else if (reply.code === 'unknownTask') acknowledged.read(id, expected, undefined);
        else if (!honest.has(reply.code) && reply.code !== 'alreadySettled') {
          throw new Violation('correctness', `cancel answered ${reply.code}: ${reply.message}`);
        }
      },
    );
  }

  #get(node: SimNode, id: TaskId): void {
    this.#read(node, id, api => api.get(id));
  }

  #wait(node: SimNode, id: TaskId): void {
    const waitMs = this.#below(5_000);
    this.#read(node, id, api => api.wait(id, waitMs, new AbortController().signal));
  }

  #read(node: SimNode, id: TaskId, ask: (api: NodeApi) => Promise<TaskView>): void {
    const { acknowledged, attempts, history } = this.#cluster;
    const expected = acknowledged.expectation(attempts, id);
    const callAt = history.now();
    const take = (view: TaskView | undefined): void => {
      acknowledged.read(id, expected, view);
      if (view?.stale !== true) history.asks(id, 'read', callAt).saw(view);
    };
    this.#then(node, ask, take, error => {
      if (error.code !== 'unknownTask') return false;
      take(undefined);
      return true;
    });
  }

  #retry(node: SimNode, id: TaskId): void {
    const callAt = this.#cluster.history.now();
    this.#then(
      node,
      api => api.retry(id, actor),
      reply => {
        if (reply.ok) this.#cluster.acknowledged.submitted(reply.id, undefined);
        this.#remember(reply, undefined, undefined, callAt);
      },
      error => error.code === 'notSettled' || error.code === 'unknownTask',
    );
  }

  /** Replays a task, or takes it off the list of dead letters, whether it is on it or not. */
  #deadLetter(node: SimNode, id: TaskId): void {
    const purges = this.#orders.uint32() % 4 === 0;
    this.#then(
      node,
      async api => {
        await api.list({ limit: 5, deadLetters: true });
        return purges ? api.purge([id], actor) : api.replay([id], actor);
      },
      ([reply]) => {
        if (reply === undefined) throw new Violation('correctness', 'there was no reply');
        const expected = ['notDeadLetter', 'notSettled', 'unknownTask'];
        if (!reply.ok && !honest.has(reply.code) && !expected.includes(reply.code)) {
          throw new Violation('correctness', `dead letter: ${reply.code}: ${reply.message}`);
        }
        if (!reply.ok || purges) return;
        const before = this.#replayed.get(id);
        if (before !== undefined && before !== reply.id) {
          throw new Violation('correctness', `${id} was replayed as ${before} and ${reply.id}`);
        }
        this.#replayed.set(id, reply.id);
        this.#cluster.acknowledged.submitted(reply.id, undefined);
      },
    );
  }

  /** Asks a node that may not know yet that the world went on about what happened lately. */
  probe(node: SimNode): void {
    for (const { request } of this.#known.slice(-12)) this.#get(node, request.id);
  }

  #background(node: SimNode, ask: (api: NodeApi) => Promise<unknown>): void {
    this.#then(
      node,
      ask,
      () => undefined,
      error => error.code === 'unknownTask',
    );
  }

  /** Takes the answer of a node; anything that is not an honest error is a failure of the run. */
  #then<T>(
    asked: SimNode,
    ask: (api: NodeApi) => Promise<T>,
    take: (value: T) => void,
    expected: (error: TschedError) => boolean = () => false,
  ): void {
    const { process, node } = asked;
    if (process === undefined || node === undefined) return;
    const ticket = { node: asked.id, sinceMs: this.#cluster.time.nowMs, ask };
    this.#waiting.set(ticket, process);
    ask(node.api)
      .then(value => {
        // The answer of a process that died did not reach anybody.
        if (process.alive) take(value);
      })
      .catch((error: unknown) => {
        if (error instanceof Violation) throw error;
        if (!process.alive) return;
        if (error instanceof TschedError && (honest.has(error.code) || expected(error))) return;
        throw error;
      })
      .catch((error: unknown) => {
        const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
        this.#cluster.fail(
          error instanceof Violation ? error : new Violation('crash', `a request failed: ${text}`),
        );
      })
      .finally(() => this.#waiting.delete(ticket));
  }
}
