/**
 * The rate of a tenant over all entry nodes: whatever is asked where and when, with messages on
 * their way, homes that change and nodes that are cut off, no span of time lets in more than the
 * stated slack allows. And what tenants hold, over all nodes that lead shards.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Bounded, ceilingMs, HomeCeilings } from '../../src/quota/ceilings.ts';
import { EntryBudget } from '../../src/quota/entry.ts';
import { HomeBudget, leaseMs, type SubmitLimits } from '../../src/quota/home.ts';

const nodes = 3;
/** A home finds a node gone after this long, and a node its home again. */
const noticeMs = 2_000;
const wallMs = (nowMs: number): number => 1_700_000_000_000 + nowMs;

interface Event {
  readonly afterMs: number;
  readonly what:
    | { readonly kind: 'submit'; readonly node: number; readonly count: number }
    | { readonly kind: 'elect' }
    | { readonly kind: 'cut' | 'heal'; readonly node: number };
  readonly delays: readonly [there: number, confirm: number, back: number];
}

const limitsOf = fc.record({
  perSecond: fc.integer({ min: 1, max: 50 }),
  burst: fc.integer({ min: 1, max: 100 }),
});

const event = (faults: boolean): fc.Arbitrary<Event> =>
  fc.record({
    afterMs: fc.integer({ min: 0, max: 400 }),
    what: fc.oneof(
      {
        weight: 12,
        arbitrary: fc.record({
          kind: fc.constant('submit' as const),
          node: fc.nat(nodes - 1),
          count: fc.integer({ min: 1, max: 60 }),
        }),
      },
      { weight: 1, arbitrary: fc.constant({ kind: 'elect' as const }) },
      {
        weight: faults ? 2 : 0,
        arbitrary: fc.record({
          kind: fc.constantFrom('cut' as const, 'heal' as const),
          node: fc.nat(nodes - 1),
        }),
      },
    ),
    delays: fc.tuple(fc.nat(80), fc.nat(80), fc.nat(80)),
  });

interface Job {
  readonly atMs: number;
  readonly run: () => void;
}

/** Entry nodes and the homes of one tenant, one after the other, in virtual time. */
class Town {
  readonly limits: SubmitLimits;
  readonly entries = Array.from({ length: nodes }, () => new EntryBudget());
  readonly letIn: { readonly atMs: number; readonly count: number }[] = [];
  readonly cuts: { readonly node: number; readonly atMs: number }[] = [];
  #home = new HomeBudget(0);
  #cutMs: (number | undefined)[] = Array.from({ length: nodes }, () => undefined);
  #healMs: number[] = Array.from({ length: nodes }, () => Number.NEGATIVE_INFINITY);
  #jobs: Job[] = [];
  nowMs = 0;

  constructor(limits: Pick<SubmitLimits, 'perSecond' | 'burst'>) {
    this.limits = { perHour: undefined, waiting: undefined, ...limits };
  }

  #later(atMs: number, run: () => void): void {
    this.#jobs.push({ atMs, run });
  }

  passTo(atMs: number): void {
    for (;;) {
      const due = this.#jobs.filter(job => job.atMs <= atMs);
      const [next] = due.sort((left, right) => left.atMs - right.atMs);
      if (next === undefined) break;
      this.#jobs = this.#jobs.filter(job => job !== next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.run();
    }
    this.nowMs = atMs;
  }

  elect(): void {
    this.#home = new HomeBudget(this.nowMs);
  }

  cut(node: number): void {
    this.#cutMs[node] ??= this.nowMs;
    this.cuts.push({ node, atMs: this.nowMs });
  }

  heal(node: number): void {
    if (this.#cutMs[node] === undefined) return;
    this.#cutMs[node] = undefined;
    this.#healMs[node] = this.nowMs;
    this.cuts.push({ node, atMs: this.nowMs });
  }

  #absent(): number {
    return this.#cutMs.filter(cutMs => cutMs !== undefined && cutMs <= this.nowMs - noticeMs)
      .length;
  }

  submit(node: number, count: number, [there, confirm, back]: Event['delays']): void {
    const entry = this.entries[node]!;
    const letIn = (): void => void this.letIn.push({ atMs: this.nowMs, count: 1 });
    let left = count;
    while (left > 0 && entry.take(1, this.nowMs, wallMs(this.nowMs))) {
      letIn();
      left--;
    }
    if (left === 0) return;
    const lost = this.#cutMs[node] !== undefined || this.#healMs[node]! > this.nowMs - noticeMs;
    if (lost) {
      const share = {
        nowMs: this.nowMs,
        wallMs: wallMs(this.nowMs),
        limits: this.limits,
        nodes,
        waitingHere: 0,
      };
      while (left > 0 && entry.takeOwn(1, share) === undefined) {
        letIn();
        left--;
      }
      return;
    }
    if (entry.refusal(this.nowMs) !== undefined) return;
    const askedMs = this.nowMs;
    const home = this.#home;
    const ahead = entry.ahead(this.nowMs);
    this.#later(askedMs + there, () => {
      const atMs = this.nowMs;
      // A majority confirms that this is the home still; else nobody answers.
      this.#later(atMs + confirm, () => {
        if (this.#home !== home || this.#cutMs[node] !== undefined) return;
        const units = Array.from({ length: left }, () => 1);
        const question = { atMs, limits: this.limits, units, ahead, nodes, waiting: 0 };
        const grant = home.answer({ ...question, absent: this.#absent() }, () => undefined);
        this.#later(this.nowMs + back, () => {
          entry.granted(grant.permits, askedMs, this.nowMs, grant.refused);
          while (left > 0 && entry.take(1, this.nowMs, wallMs(this.nowMs))) {
            letIn();
            left--;
          }
        });
      });
    });
  }

  play(events: readonly Event[]): void {
    for (const { afterMs, what, delays } of events) {
      this.passTo(this.nowMs + afterMs);
      if (what.kind === 'submit') this.submit(what.node, what.count, delays);
      else if (what.kind === 'elect') this.elect();
      else if (what.kind === 'cut') this.cut(what.node);
      else this.heal(what.node);
    }
    this.passTo(this.nowMs + 1_000);
  }
}

/** The largest excess over `allowed(from, to)` in any span between two submits. */
function worst(
  letIn: readonly { atMs: number; count: number }[],
  allowed: (fromMs: number, toMs: number) => number,
): number {
  let most = Number.NEGATIVE_INFINITY;
  for (let from = 0; from < letIn.length; from++) {
    let sum = 0;
    for (let to = from; to < letIn.length; to++) {
      sum += letIn[to]!.count;
      most = Math.max(most, sum - allowed(letIn[from]!.atMs, letIn[to]!.atMs));
    }
  }
  return most;
}

describe('the rate of a tenant', () => {
  test('is kept over all entry nodes, whoever is its home and whatever is on its way', () => {
    fc.assert(
      fc.property(limitsOf, fc.array(event(false), { maxLength: 60 }), (limits, events) => {
        const town = new Town(limits);
        town.play(events);
        const { perSecond, burst } = limits;
        const allowed = (from: number, to: number): number =>
          burst + (perSecond * (to - from + leaseMs)) / 1_000;
        expect(worst(town.letIn, allowed)).toBeLessThanOrEqual(0);
      }),
      { numRuns: 300 },
    );
  });

  test('is kept where nodes are cut off, but for their shares until that is noticed', () => {
    fc.assert(
      fc.property(limitsOf, fc.array(event(true), { maxLength: 60 }), (limits, events) => {
        const town = new Town(limits);
        town.play(events);
        const { perSecond, burst } = limits;
        const allowed = (from: number, to: number): number => {
          // Who was cut off or came back in that time, or so shortly before that it still counts.
          const turns = town.cuts.filter(
            ({ atMs }) => atMs >= from - noticeMs - leaseMs && atMs <= to,
          ).length;
          const unnoticed = (perSecond / nodes) * ((noticeMs + leaseMs) / 1_000);
          const shares = nodes * Math.max(1, burst / nodes);
          const own = town.cuts.length === 0 ? 0 : shares + turns * (unnoticed + 1);
          return burst + (perSecond * (to - from + leaseMs)) / 1_000 + own;
        };
        expect(worst(town.letIn, allowed)).toBeLessThanOrEqual(0);
      }),
      { numRuns: 300 },
    );
  });

  test('is used up where more is asked for', () => {
    const town = new Town({ perSecond: 20, burst: 20 });
    for (let atMs = 0; atMs < 60_000; atMs += 10) {
      town.passTo(atMs);
      town.submit(atMs % nodes, 2, [2, 2, 2]);
    }
    const sum = town.letIn.length;
    expect(sum).toBeGreaterThan(20 * 60 * 0.97);
    expect(sum).toBeLessThanOrEqual(20 * 61 + 20);
  });

  test('blocks nobody for long without a home', () => {
    const town = new Town({ perSecond: 6, burst: 6 });
    for (let node = 0; node < nodes; node++) town.cut(node);
    for (let atMs = 0; atMs < 30_000; atMs += 50) {
      town.passTo(atMs);
      for (let node = 0; node < nodes; node++) town.submit(node, 1, [1, 1, 1]);
    }
    expect(town.letIn.length).toBeGreaterThan(6 * 30 * 0.9);
    expect(town.letIn.length).toBeLessThanOrEqual(6 * 31 + 6);
  });
});

describe('what a tenant may hold', () => {
  const bounds = { running: 10, cpuMilli: 8_000, memoryBytes: 1_000 };

  /** A node that starts what its ceiling allows. */
  class Leader {
    use: Bounded = { running: 0, cpuMilli: 0, memoryBytes: 0 };
    ceiling: Partial<Bounded> = { running: 0 };
    untilMs = 0;
    answer: { readonly ceiling: Partial<Bounded>; readonly untilMs: number } | undefined;
    waiting = 0;
    readonly needs: Bounded;

    constructor(needs: Bounded) {
      this.needs = needs;
    }

    get #fits(): boolean {
      return (['running', 'cpuMilli', 'memoryBytes'] as const).every(
        name => this.use[name] + this.needs[name] <= (this.ceiling[name] ?? Number.MAX_VALUE),
      );
    }

    change(by: 1 | -1): void {
      this.use = {
        running: this.use.running + by,
        cpuMilli: this.use.cpuMilli + by * this.needs.cpuMilli,
        memoryBytes: this.use.memoryBytes + by * this.needs.memoryBytes,
      };
    }

    start(nowMs: number): void {
      while (this.waiting > 0 && nowMs < this.untilMs && this.#fits) {
        this.waiting--;
        this.change(1);
      }
    }

    /** The answer comes some time after the home has given it. */
    report(home: HomeCeilings, name: string, nowMs: number): void {
      if (this.answer !== undefined) return;
      const next = this.waiting > 0 && !this.#fits ? this.needs : undefined;
      const goesBy = nowMs < this.untilMs ? this.ceiling : undefined;
      const report = { use: this.use, waiting: this.waiting, next, goesBy };
      this.answer = {
        ceiling: home.report(name, report, bounds, nowMs),
        untilMs: nowMs + ceilingMs,
      };
    }

    take(): void {
      if (this.answer === undefined) return;
      ({ ceiling: this.ceiling, untilMs: this.untilMs } = this.answer);
      this.answer = undefined;
    }
  }

  const needsOf = fc.record({
    running: fc.constant(1),
    cpuMilli: fc.integer({ min: 1, max: 8_000 }),
    memoryBytes: fc.integer({ min: 1, max: 900 }),
  });
  const happening = fc.record({
    afterMs: fc.integer({ min: 0, max: 1_500 }),
    node: fc.nat(nodes - 1),
    kind: fc.constantFrom('report' as const, 'answer', 'submit', 'end', 'elect'),
    count: fc.integer({ min: 1, max: 12 }),
  });

  test('is within the limit over all nodes, also when its home changes', () => {
    fc.assert(
      fc.property(
        fc.array(needsOf, { minLength: nodes, maxLength: nodes }),
        fc.array(happening, { maxLength: 80 }),
        (needs, happenings) => {
          const leaders = needs.map(need => new Leader(need));
          let home = new HomeCeilings(-ceilingMs);
          let nowMs = 0;
          const startAll = (): void => {
            for (const leader of leaders) leader.start(nowMs);
            for (const name of ['running', 'cpuMilli', 'memoryBytes'] as const) {
              const held = leaders.reduce((sum, leader) => sum + leader.use[name], 0);
              expect(held).toBeLessThanOrEqual(bounds[name]);
            }
          };
          for (const { afterMs, node, kind, count } of happenings) {
            // Every node reports once a second, whatever else it does.
            const thenMs = nowMs + afterMs;
            for (; nowMs < thenMs; nowMs++) {
              const reporting = nowMs % 1_000;
              if (reporting < nodes) leaders[reporting]!.report(home, `n${reporting}`, nowMs);
              if (reporting === 700) for (const late of leaders) late.take();
              if (reporting < nodes || reporting === 700) startAll();
            }
            const leader = leaders[node]!;
            if (kind === 'report') leader.report(home, `n${node}`, nowMs);
            else if (kind === 'answer') leader.take();
            else if (kind === 'submit') leader.waiting += count;
            else if (kind === 'elect') home = new HomeCeilings(nowMs);
            else for (let n = 0; n < count && leader.use.running > 0; n++) leader.change(-1);
            startAll();
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test('is lowered for the others once the node goes by that, not when it is told', () => {
    const home = new HomeCeilings(-ceilingMs);
    const use = { running: 0, cpuMilli: 0, memoryBytes: 0 };
    const limits = { running: 10 };
    expect(home.report('a', { use, waiting: 20 }, limits, 0)).toEqual({ running: 10 });
    const idle = { use, waiting: 0, goesBy: { running: 10 } };
    expect(home.report('a', idle, limits, 100)).toEqual({ running: 0 });
    // Until that arrives, the other may still start ten.
    expect(home.report('b', { use, waiting: 20 }, limits, 200)).toEqual({ running: 0 });
    home.report('a', { ...idle, goesBy: { running: 0 } }, limits, 300);
    expect(home.report('b', { use, waiting: 20 }, limits, 400)).toEqual({ running: 10 });
  });

  test('goes round where every task needs all of it', () => {
    const whole = { running: 1, cpuMilli: 8_000, memoryBytes: 1 };
    const leaders = Array.from({ length: nodes }, () => new Leader(whole));
    const home = new HomeCeilings(-ceilingMs);
    const ran = leaders.map(() => 0);
    for (const leader of leaders) leader.waiting = 100;
    for (let nowMs = 0; nowMs < 60_000; nowMs += 100) {
      leaders.forEach((leader, node) => {
        if (leader.use.running > 0) {
          leader.change(-1);
          ran[node]!++;
        }
        leader.take();
        if (nowMs % 1_000 === node * 100) leader.report(home, `n${node}`, nowMs);
        leader.start(nowMs);
      });
    }
    expect(Math.min(...ran)).toBeGreaterThan(0);
  });
});
