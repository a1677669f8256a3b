/**
 * The directives of the shard transcripts. Tasks are `t1`, `t2`, ..., nodes any word; instants are
 * milliseconds after the start, `at` of a command is its stamp (default: the one before).
 *
 *   submit [at=] [attempts=] [backoff=(initial,max)] [key=] [name=] [cpu=] [tenant=]
 *          [order=] [retry-on=(75,oom)] [tolerance=] [expire=]                     t1 [retry-of=t0]
 *   submit gang=N                                            t1 ..., all of the gang, by rank
 *   assign [at=]                                                                   t1 node
 *   assign-gang [at=]                                        t1 node, for each of the gang
 *   start | unassign | lose [at=]                                                  t1 fence
 *   finish [at=]                             outcome: a kind, or supervisorLost    t1 fence outcome
 *   cancel [at=] [reason=]                                                         t1
 *   recover [at=] [epoch=]
 *   charge [at=]                             takes of hourly budgets                   a 5 ...
 *   recover [at=] [epoch=] · adopt [at=] [rules=]
 *   replay [at=] [...]                       as for submit                        t2 retry-of=t1
 *   purge [at=]                                                                    t1
 *   expire [at=] [state=] [key=] [...]       as for submit: the spec it had        t1 ...
 *   overdue [at=]                                                                  t1
 *   update [at=] [priority=] [tolerance=] [cap=]                                   t1
 *   status | attempts                                                              t1
 *   ready now= [limit=] · due now= · position now= · counts · live · events after= · time · flush ·
 *   stored · restart · hour: counts by minutes after the start   a ... · use   a ...
 */
import type { OutcomeKind } from '../../src/model/attempt.ts';
import type { ItemReply } from '../../src/model/command.ts';
import { parseTaskId, type TaskId } from '../../src/model/ids.ts';
import { tierDefaults } from '../../src/model/resources.ts';
import { decodeSpec, type TaskSpec } from '../../src/model/spec.ts';
import type { SpecOverrides } from '../../src/model/spec-overrides.ts';
import type { TaskState, TaskView } from '../../src/model/task.ts';
import type { Applied, Effect } from '../../src/shard/effects.ts';
import { hashKey } from '../../src/shard/memory/key-hash.ts';
import { decodeTaskRow } from '../../src/shard/record.ts';
import { toView } from '../../src/shard/view.ts';
import { type Directive, valuesOf } from '../conformance/etcd-raft/datadriven.ts';
import { anOutcome, aSpec, epochMs, idOf, slotOf, specEntry, TestShard } from '../support/shard.ts';

const nameOf = (id: string): string => {
  const parts = parseTaskId(id);
  return parts === undefined ? id : `t${parts.random}`;
};

const endings = { cancelled: ' cancelling', superseded: ' recalled' } as const;

const since = (instantMs: number): string => `${instantMs - epochMs}`;

function showReply(reply: ItemReply): string {
  const name = nameOf(reply.taskId);
  if (!reply.ok) {
    const message = reply.message.replaceAll(/[0-9a-z]{20}/g, nameOf);
    return `${name} ${reply.code}: ${message}`;
  }
  const fence = reply.fence === undefined ? '' : ` fence=${reply.fence}`;
  return `${name} ok${reply.repeated ? ' repeated' : ''}${fence}`;
}

function showEffect(effect: Effect): string {
  switch (effect.kind) {
    case 'readyChanged':
    case 'scheduleCreated':
    case 'messagesChanged':
      return `  > ${effect.kind}`;
    case 'workflowSettled':
      return `  > workflow settled ${effect.workflowId}`;
    default:
      break;
  }
  const name = nameOf(effect.taskId);
  if (effect.kind === 'settled') return `  > settled ${name} ${effect.state}`;
  if (effect.kind === 'boundMissed') return `  > boundMissed ${name}`;
  const node = effect.kind === 'attemptEnded' ? ` ${effect.node}` : '';
  return `  > ${effect.kind} ${name} ${effect.fence}${node}`;
}

const show = (applied: Applied): string[] => [
  ...applied.replies.map(showReply),
  ...applied.effects.map(showEffect),
];

function showView(view: TaskView): string[] {
  const about = [`runs=${view.runs}/${view.attemptsMax}`, `lost=${view.lost}`];
  if (view.reason !== undefined) about.push(`reason=(${view.reason})`);
  if (view.outcome !== undefined) about.push(`outcome=${view.outcome.kind}`);
  if (view.notBeforeMs !== undefined) about.push(`notBefore=${since(view.notBeforeMs)}`);
  if (view.settledAtMs !== undefined) about.push(`settledAt=${since(view.settledAtMs)}`);
  if (view.deadLetter) about.push('deadLetter');
  if (view.supervisorsLost !== undefined) about.push(`supervisors=${view.supervisorsLost}`);
  if (view.retryOf !== undefined) about.push(`retryOf=${nameOf(view.retryOf)}`);
  if (view.cancelRequested) {
    about.push(`cancel=(${view.cancelRequested.reason}; ${view.cancelRequested.by})`);
  }
  return [`${nameOf(view.id)} ${view.state} ${about.join(' ')}`];
}

export class ShardTranscript {
  readonly #shard = new TestShard();
  #lines: string[][] = [];
  #directive!: Directive;
  readonly #slots = new Map<string, number>();

  answer(directive: Directive): readonly string[] {
    this.#directive = directive;
    this.#lines = directive.input
      .split('\n')
      .filter(line => line !== '')
      .map(line => line.split(/\s+/));
    const at = this.#number('at');
    if (at !== undefined) this.#shard.atMs = at;
    const output = this.#command(directive.command);
    return output.length === 0 ? ['nothing'] : output;
  }

  #text(key: string): string | undefined {
    const values = valuesOf(this.#directive, key);
    return values.length === 0 ? undefined : values.join(' ');
  }

  #number(key: string): number | undefined {
    const text = this.#text(key);
    return text === undefined ? undefined : Number(text);
  }

  #id(name: string): TaskId {
    return idOf(Number(name.slice(1)), this.#slots.get(name) ?? 7);
  }

  #command(name: string): string[] {
    switch (name) {
      case 'submit':
        return this.#submit();
      case 'assign': {
        const items = this.#lines.map(([task = '', node = '']) => ({
          taskId: this.#id(task),
          node,
          nodeName: node,
          incarnation: 'a',
        }));
        return show(this.#shard.apply({ kind: 'assign', items }));
      }
      case 'assign-gang': {
        const members = this.#lines.map(([task = '', node = '']) => ({
          taskId: this.#id(task),
          node,
          nodeName: node,
          incarnation: 'a',
        }));
        return show(this.#shard.apply({ kind: 'assignGang', items: [{ members }] }));
      }
      case 'start':
        return this.#fenced(item => ({ ...item, startedAtMs: epochMs }), 'start');
      case 'unassign':
        return this.#fenced(item => ({ ...item, why: 'noRoom' as const }), 'unassign');
      case 'finish':
        return this.#fenced(
          (item, outcome) =>
            outcome === ('supervisorLost' as never)
              ? { ...item, outcome: anOutcome('lost', { supervisorLost: true }) }
              : { ...item, outcome: anOutcome(outcome) },
          'finish',
        );
      case 'lose':
        return this.#fenced(item => item, 'lose', { message: 'its lease ended' });
      case 'cancel': {
        const items = this.#lines.map(([task = '']) => ({ taskId: this.#id(task) }));
        const reason = this.#text('reason') ?? '';
        return show(this.#shard.apply({ kind: 'cancel', items, reason }));
      }
      case 'recover':
        return show(this.#shard.apply({ kind: 'recover', epoch: this.#number('epoch') ?? 0 }));
      case 'adopt':
        return show(this.#shard.apply({ kind: 'adopt', rules: this.#number('rules') ?? 3 }));
      case 'replay':
        return this.#submit('replay');
      case 'purge': {
        const items = this.#lines.map(([task = '']) => ({ taskId: this.#id(task) }));
        return show(this.#shard.apply({ kind: 'purge', items }));
      }
      case 'expire': {
        const spec = this.#spec();
        const key = spec.idempotencyKey && hashKey(spec.tenant, spec.idempotencyKey);
        const items = this.#lines.map(([task = '']) => ({
          taskId: this.#id(task),
          state: (this.#text('state') ?? 'succeeded') as TaskState,
          digest: specEntry(spec).digest,
          keyHash: key ? { high: key.high, low: key.low } : undefined,
        }));
        return show(this.#shard.apply({ kind: 'expire', items }));
      }
      case 'charge': {
        const items = this.#lines.map(([tenant = '', count = '']) => ({
          tenant,
          count: Number(count),
        }));
        return show(this.#shard.apply({ kind: 'charge', items }));
      }
      case 'overdue': {
        const items = this.#lines.map(([task = '']) => ({ taskId: this.#id(task) }));
        return show(this.#shard.apply({ kind: 'overdue', items }));
      }
      case 'update': {
        const items = this.#lines.map(([task = '']) => ({ taskId: this.#id(task) }));
        return show(this.#shard.apply({ kind: 'update', items, overrides: this.#overrides() }));
      }
      default:
        return this.#query(name);
    }
  }

  #fenced(
    item: (named: { taskId: TaskId; fence: number }, outcome: OutcomeKind) => object,
    kind: string,
    rest: object = {},
  ): string[] {
    const items = this.#lines.map(([task = '', fence = '', outcome = '']) =>
      item({ taskId: this.#id(task), fence: Number(fence) }, outcome as OutcomeKind),
    );
    return show(this.#shard.apply({ kind, items, ...rest } as never));
  }

  #spec(): TaskSpec {
    const [initialMs = 0, maxMs = 0] = valuesOf(this.#directive, 'backoff').map(Number);
    const retryOn = valuesOf(this.#directive, 'retry-on');
    const parts: Partial<TaskSpec> = {
      orderKey: this.#text('order'),
      retryOn: retryOn.length === 0 ? undefined : retryOn,
      tenant: this.#text('tenant') ?? 'default',
      name: this.#text('name') ?? '',
      attempts: this.#number('attempts') ?? 1,
      backoff: { initialMs, maxMs },
      request: { ...tierDefaults.basic, cpuMilli: this.#number('cpu') ?? 100 },
      idempotencyKey: this.#text('key'),
      toleranceMs: this.#number('tolerance'),
      expireMs: this.#number('expire'),
      gang: this.#number('gang'),
    };
    return aSpec(parts);
  }

  #overrides(): SpecOverrides {
    const given = {
      priority: this.#text('priority') as TaskSpec['priority'],
      toleranceMs: this.#number('tolerance'),
      capMs: this.#number('cap'),
    };
    return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  }

  #submit(kind: 'submit' | 'replay' = 'submit'): string[] {
    const spec = this.#spec();
    const gang = spec.gang === undefined ? undefined : this.#id('t999');
    const items = this.#lines.map(([task = '', ...about], position) => {
      if (!this.#slots.has(task)) this.#slots.set(task, this.#number('slot') ?? slotOf(spec));
      const retryOf = about.find(word => word.startsWith('retry-of='))?.slice('retry-of='.length);
      return {
        id: this.#id(task),
        retryOf: retryOf === undefined ? undefined : this.#id(retryOf),
        arrayId: gang,
        arrayIndex: gang && position,
      };
    });
    const specs = [specEntry(spec)];
    return show(
      this.#shard.apply({ kind, specs, items: items.map(item => ({ ...item, spec: 0 })) }),
    );
  }

  #views(): TaskView[] {
    const { machine } = this.#shard;
    return this.#lines.flatMap(([task = '']) => {
      const id = this.#id(task);
      if (!machine.knows(id)) return [];
      const row = this.#shard.row(machine.taskKey(id));
      const record = machine.record(id) ?? (row && decodeTaskRow(row));
      if (record === undefined) return [];
      const bytes =
        machine.specBytes(record.digest) ?? this.#shard.row(machine.specKey(record.digest));
      const deadLetter = machine.isDeadLetter(id);
      return [toView(record, decodeSpec(bytes!), { shard: 1, stale: false, deadLetter })];
    });
  }

  #query(name: string): string[] {
    const { machine } = this.#shard;
    const nowMs = epochMs + (this.#number('now') ?? 0);
    switch (name) {
      case 'status':
        return this.#views().flatMap(showView);
      case 'attempts':
        return this.#views().flatMap(view =>
          view.attempts.map(attempt => {
            const ended = attempt.outcome === undefined ? 'live' : attempt.outcome.kind;
            const head = `${nameOf(view.id)} fence=${attempt.attempt} run=${attempt.run}`;
            return `${head} ${attempt.nodeName} assigned=${since(attempt.assignedAtMs)} ${ended}`;
          }),
        );
      case 'ready':
        return machine.readyBatches(this.#number('limit') ?? 100, nowMs).flatMap(batch => [
          `cpu=${batch.lane.demand.request.cpuMilli} count=${batch.count}`,
          ...batch.tasks.map(task => {
            const avoid = task.avoid.length === 0 ? '' : ` avoid=${task.avoid.join(',')}`;
            return `  ${nameOf(task.id)} since=${since(task.readySinceMs)}${avoid}`;
          }),
        ]);
      case 'position':
        return this.#lines.map(([task = '']) => {
          const found = machine.position(this.#id(task), nowMs);
          return found ? `${task} ${found.position} of ${found.ready}` : `${task} is not ready`;
        });
      case 'due':
        return machine.overdue(nowMs, 100).map(({ taskId }) => nameOf(taskId));
      case 'live':
        return machine.liveAttempts().map(live => {
          const cancelling = live.ending === undefined ? '' : endings[live.ending];
          return `${nameOf(live.taskId)} ${live.fence} ${live.state} ${live.node}${cancelling}`;
        });
      case 'events': {
        const events = machine.eventsAfter(this.#number('after') ?? 0, 100);
        if (events === 'expired') return ['expired'];
        return events.map(event => {
          const about = [event.kind, nameOf(event.taskId), event.state];
          if (event.attempt !== undefined) about.push(`fence=${event.attempt}`);
          if (event.outcome !== undefined) about.push(event.outcome);
          return `${event.seq} at=${since(event.atMs)} ${about.join(' ')}`;
        });
      }
      default:
        return this.#upkeep(name);
    }
  }

  #upkeep(name: string): string[] {
    const { machine } = this.#shard;
    switch (name) {
      case 'counts':
        return [
          Object.entries(machine.counts())
            .map(([state, count]) => `${state}=${count}`)
            .join(' '),
        ];
      case 'time':
        return [`state time ${since(machine.nowMs)}`];
      case 'hour':
        return this.#lines.map(([tenant = '']) => {
          const counted = machine.hourBudget(tenant).map(([minute, count]) => {
            return `${minute - Math.floor(epochMs / 60_000)}:${count}`;
          });
          return `${tenant} ${counted.join(' ')}`.trim();
        });
      case 'use':
        return this.#lines.map(([tenant = '']) => {
          const { waiting, running, cpuMilli } = machine.uses.of(tenant);
          return `${tenant} waiting=${waiting} running=${running} cpu=${cpuMilli}`;
        });
      case 'stored':
        return [`${this.#shard.stored.size} rows`];
      case 'memory':
        return [...machine.hotIds({ settled: true })].map(nameOf);
      case 'flush':
        return [`${this.#shard.flush()} rows`];
      case 'restart': {
        const before = machine.digest();
        this.#shard.machine = this.#shard.restarted();
        const agrees = this.#shard.machine.digest() === before;
        const replayed = this.#shard.log.length - this.#shard.storedIndex;
        return [`replayed ${replayed}, ${agrees ? 'the same' : 'ANOTHER'} digest`];
      }
      default:
        throw new Error(`line ${this.#directive.line}: no directive ${name}`);
    }
  }
}
