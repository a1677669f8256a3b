/**
 * A cluster driven by a transcript's directives, one line of text per thing that can be seen. Log
 * messages are not produced: they are wording, and dropped from what is expected as well.
 */
import { decodeConfChange, encodeConfChange } from '../../../src/raft/codec.ts';
import {
  type Entry,
  type Message,
  newMessage,
  type SnapshotMeta,
} from '../../../src/raft/message.ts';
import type { Suite } from './arithmetic.ts';
import { type Directive, numbersOf, valuesOf } from './datadriven.ts';
import {
  type Described,
  describeEntry,
  describeMessage,
  describeProgress,
  describeReady,
  operationsFrom,
  stateName,
} from './describe.ts';
import {
  appendWork,
  applyWork,
  type InFlight,
  shownMessage,
  type ThreadWork,
  TranscriptNode,
} from './node.ts';
import { coreOptions, ELECTION_TICK, flag, HEARTBEAT_TICK } from './options.ts';

const encoder = new TextEncoder();
type Command = (directive: Directive) => void;

export class Environment implements Suite {
  readonly #nodes: TranscriptNode[] = [];
  #inFlight: InFlight[] = [];
  #lines: string[] = [];
  #indent = '';
  #quiet = false;
  readonly #commands: Record<string, Command> = {
    'add-nodes': d => this.#addNodes(d),
    campaign: d => this.#node(numbersOf(d)[0]).core.campaign(),
    compact: d => this.#compact(d),
    crash: d => this.#node(numbersOf(d)[0]).crash(),
    'deliver-msgs': d => this.#deliverMsgs(d),
    'forget-leader': d => this.#node(numbersOf(d)[0]).core.forgetLeader(),
    'log-level': d => this.#setQuiet(d.args[0]?.key ?? ''),
    'process-append-thread': d => this.#each(d, 'processing append thread', n => this.#append(n)),
    'process-apply-thread': d => this.#each(d, 'processing apply thread', n => this.#apply(n)),
    'process-ready': d => this.#each(d, 'handling Ready', n => this.#ready(n)),
    propose: d => this.#propose(d),
    'propose-batch': d => this.#proposeBatch(d),
    'propose-conf-change': d => this.#proposeConf(d),
    'raft-log': d => this.#raftLog(this.#node(numbersOf(d)[0])),
    'raft-state': () => this.#raftState(),
    'read-index': d => this.#readIndex(d),
    'report-unreachable': d => this.#reportUnreachable(d),
    'report-snapshot': d => this.#reportSnapshot(d),
    'send-snapshot': d => this.#sendSnapshot(d),
    'set-randomized-election-timeout': d => this.#setTimeout(d),
    stabilize: d => this.#stabilize(d),
    status: d => this.#status(d),
    'tick-election': d => this.#tick(d, ELECTION_TICK),
    'tick-heartbeat': d => this.#tick(d, HEARTBEAT_TICK),
    'transfer-leadership': d => this.#transfer(d),
  };

  run(directive: Directive): string[] {
    this.#lines = [];
    const command = this.#commands[directive.command];
    if (command === undefined) throw new Error(`unknown command ${directive.command}`);
    command(directive);
    return this.#lines.length > 0 ? this.#lines : ['ok'];
  }

  #print(...lines: readonly string[]): void {
    if (this.#quiet) return;
    for (const line of lines) this.#lines.push(this.#indent + line);
  }

  /** Errors are printed in any case. */
  #error(line: string): void {
    this.#lines.push(this.#indent + line);
  }

  #indented(work: () => void): void {
    const outer = this.#indent;
    this.#indent = `${outer}  `;
    work();
    this.#indent = outer;
  }

  #setQuiet(level: string): void {
    this.#quiet = level.toLowerCase() === 'none';
  }

  #node(id: number | undefined): TranscriptNode {
    const node = this.#nodes[(id ?? 0) - 1];
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  #chosen(directive: Directive): TranscriptNode[] {
    return numbersOf(directive).map(id => this.#node(id));
  }

  #each(directive: Directive, what: string, work: (node: TranscriptNode) => void): void {
    const nodes = this.#chosen(directive);
    for (const node of nodes) {
      if (nodes.length === 1) {
        work(node);
        continue;
      }
      this.#print(`> ${node.id} ${what}`);
      this.#indented(() => work(node));
    }
  }

  #addNodes(directive: Directive): void {
    const count = numbersOf(directive)[0] ?? 0;
    const voters = valuesOf(directive, 'voters').map(Number);
    const learners = valuesOf(directive, 'learners').map(Number);
    const index = Number(valuesOf(directive, 'index')[0] ?? 0);
    const conf = { voters, learners, votersOutgoing: [], learnersNext: [], autoLeave: false };
    const start: SnapshotMeta | undefined = index > 0 ? { index, term: 1, conf } : undefined;
    const async = flag(directive, 'async-storage-writes');
    for (let added = 0; added < count; added++) {
      const id = this.#nodes.length + 1;
      this.#nodes.push(new TranscriptNode(id, coreOptions(directive), async, start));
    }
  }

  #compact(directive: Directive): void {
    const [id, index] = numbersOf(directive);
    const node = this.#node(id);
    node.log.compact(index!);
    this.#raftLog(node);
  }

  #raftLog({ log }: TranscriptNode): void {
    const first = log.firstIndex();
    const last = log.lastIndex();
    if (last < first) {
      this.#print(`log is empty: first index=${first}, last index=${last}`);
      return;
    }
    const entries = log.entries(first, last + 1, Number.POSITIVE_INFINITY);
    if (entries === 'compacted') throw new Error('the log begins after its first index');
    this.#print(...entries.map(describeEntry));
  }

  #raftState(): void {
    for (const { core } of this.#nodes) {
      const { id, role, lead, hard, conf } = core.status();
      const votes = conf.voters.includes(id) || conf.votersOutgoing.includes(id);
      const membership = votes ? '(Voter)' : '(Non-Voter)';
      this.#print(`${id}: ${stateName(role)} ${membership} Term:${hard.term} Lead:${lead}`);
    }
  }

  #status(directive: Directive): void {
    const { progress } = this.#node(numbersOf(directive)[0]).core.status();
    this.#print(...progress.map(describeProgress));
  }

  #tick(directive: Directive, ticks: number): void {
    const { core } = this.#node(numbersOf(directive)[0]);
    for (let tick = 0; tick < ticks; tick++) core.tick();
  }

  #setTimeout(directive: Directive): void {
    const { core } = this.#node(numbersOf(directive)[0]);
    core.setElectionTimeout(Number(valuesOf(directive, 'timeout')[0]));
  }

  #transfer(directive: Directive): void {
    const { core } = this.#node(Number(valuesOf(directive, 'from')[0]));
    core.transferLeader(Number(valuesOf(directive, 'to')[0]));
  }

  #reportUnreachable(directive: Directive): void {
    const [on, about] = numbersOf(directive);
    this.#node(on).core.reportUnreachable(about!);
  }

  #reportSnapshot(directive: Directive): void {
    const [on, about] = numbersOf(directive);
    this.#node(on).core.reportSnapshot(about!, flag(directive, 'ok', true));
  }

  #sendSnapshot(directive: Directive): void {
    const [from, to] = numbersOf(directive);
    const { core, log } = this.#node(from);
    const message = newMessage('MsgSnap', from!, to!, core.term);
    message.snapshot = log.history.at(-1);
    this.#sendAll([message]);
    this.#print(...describeMessage(shownMessage(message)));
  }

  #propose(directive: Directive): void {
    const [id, text] = directive.args;
    const data = encoder.encode(text?.key ?? '');
    const draft: Entry = { term: 0, index: 0, type: 0, data };
    this.#submit(this.#node(Number(id?.key)), draft, flag(directive, 'why'));
  }

  #proposeBatch(directive: Directive): void {
    const [id, ...texts] = directive.args.filter(arg => arg.values.length === 0);
    const batch = texts.map(text => encoder.encode(text.key));
    const result = this.#node(Number(id?.key)).core.propose(batch);
    if (!result.ok) this.#error(`raft proposal dropped: ${result.why}`);
  }

  #proposeConf(directive: Directive): void {
    const transition = valuesOf(directive, 'transition')[0] ?? 'auto';
    if (transition !== 'auto' && transition !== 'implicit' && transition !== 'explicit') {
      throw new Error(`unknown transition ${transition}`);
    }
    const changes = operationsFrom(directive.input);
    const data = encodeConfChange({ transition, changes, context: new Uint8Array(0) });
    const type = flag(directive, 'v1') ? 1 : 2;
    const node = this.#node(numbersOf(directive)[0]);
    this.#submit(node, { term: 0, index: 0, type, data }, flag(directive, 'why'));
  }

  /**
   * Proposes at `node`. A follower sends the proposal on to its leader, as etcd's does. etcd's
   * files know one wording of a refusal; ours may ask for the reason, and then nothing is sent on.
   */
  #submit(node: TranscriptNode, draft: Entry, detailed: boolean): void {
    const { core } = node;
    const { type, data } = draft;
    const result =
      type === 0 ? core.propose([data]) : core.proposeConf(decodeConfChange(data), type);
    if (result.ok) return;
    if (detailed) {
      this.#error(`raft proposal dropped: ${result.why}`);
      return;
    }
    if (result.why !== 'notLeader' || result.lead === 0) {
      this.#error('raft proposal dropped');
      return;
    }
    const to = result.lead;
    const at = { term: 0, logTerm: 0, index: 0, entries: [draft] };
    const shown = { from: String(node.id), to: String(to), type: 'MsgProp', ...at };
    const take = () => this.#submit(this.#node(to), draft, false);
    node.forwarding.push({ to, local: false, shown, take });
  }

  #readIndex(directive: Directive): void {
    const result = this.#node(numbersOf(directive)[0]).core.readIndex();
    this.#print(result.ok ? `read counted ${result.ctr}` : `read refused: ${result.why}`);
  }

  #sendAll(messages: readonly Message[]): void {
    for (const message of messages) {
      const shown = shownMessage(message);
      this.#inFlight.push({ to: message.to, local: false, shown, message });
    }
  }

  #ready(node: TranscriptNode): void {
    const ready = node.core.ready();
    const { persist, committed, msgs, msgsAfterPersist } = ready;
    const mustSync = node.noteHard(persist);
    const forwarded = node.forwarding;
    node.forwarding = [];
    this.#inFlight.push(...forwarded);
    const others = [...msgs.map(shownMessage), ...forwarded.map(item => item.shown)];
    if (node.async) {
      const threads: Described[] = [];
      if (persist !== undefined) {
        const work = appendWork(node, persist, msgsAfterPersist);
        node.appendWork.push(work);
        threads.push(work.shown);
      }
      if (committed.length > 0) {
        const work = applyWork(node, committed);
        node.applyWork.push(work);
        threads.push(work.shown);
      }
      this.#print(...describeReady(ready, mustSync, [...others, ...threads]));
      this.#sendAll(msgs);
      return;
    }
    const promises = msgsAfterPersist.map(shownMessage);
    this.#print(...describeReady(ready, mustSync, [...others, ...promises]));
    if (persist !== undefined) node.store(persist);
    node.apply(committed);
    this.#sendAll([...msgs, ...msgsAfterPersist]);
    if (persist !== undefined) node.core.persisted(persist.token);
    node.reportApplied(committed);
  }

  #append(node: TranscriptNode): void {
    this.#perform(node.appendWork.shift(), 'append');
  }

  #apply(node: TranscriptNode): void {
    this.#perform(node.applyWork.shift(), 'apply');
  }

  #perform(work: ThreadWork | undefined, what: string): void {
    if (work === undefined) {
      this.#print(`no ${what} work to perform`);
      return;
    }
    this.#print('Processing:', ...describeMessage({ ...work.shown, responses: [] }));
    work.perform();
    const shown = work.responses.flatMap(response => describeMessage(response.shown));
    this.#print('Responses:', ...shown);
    this.#inFlight.push(...work.responses);
  }

  #deliverMsgs(directive: Directive): void {
    const drop = valuesOf(directive, 'drop').map(Number);
    const type = valuesOf(directive, 'type')[0];
    let handled = 0;
    for (const id of numbersOf(directive)) handled += this.#deliver(id, false, type);
    for (const id of drop) handled += this.#deliver(id, true, type);
    if (handled === 0) this.#print('no messages');
  }

  /** Delivers or drops what is in flight to `id`. Answers of storage threads are never dropped. */
  #deliver(id: number, drop: boolean, type?: string): number {
    const chosen: InFlight[] = [];
    const rest: InFlight[] = [];
    for (const item of this.#inFlight) {
      const fits = item.to === id && (type === undefined || item.shown.type === type);
      (fits && !(drop && item.local) ? chosen : rest).push(item);
    }
    this.#inFlight = rest;
    for (const item of chosen) {
      const [first, ...more] = describeMessage(item.shown);
      this.#print(`${drop ? 'dropped: ' : ''}${first}`, ...more);
      if (drop) continue;
      item.take?.();
      if (item.local || item.message === undefined) continue;
      if (this.#node(id).core.step(item.message) === 'peerNotFound') {
        this.#print('raft: cannot step as peer not found');
      }
    }
    return chosen.length;
  }

  #stabilize(directive: Directive): void {
    const quiet = this.#quiet;
    const level = valuesOf(directive, 'log-level')[0];
    if (level !== undefined) this.#setQuiet(level);
    const ids = numbersOf(directive);
    const nodes = ids.length > 0 ? ids.map(id => this.#node(id)) : this.#nodes;
    while (this.#stabilizeOnce(nodes));
    this.#quiet = quiet;
  }

  #stabilizeOnce(nodes: readonly TranscriptNode[]): boolean {
    let busy = false;
    const section = (node: TranscriptNode, what: string, work: () => void) => {
      busy = true;
      this.#print(`> ${node.id} ${what}`);
      this.#indented(work);
    };
    for (const node of nodes) {
      if (node.hasReady()) section(node, 'handling Ready', () => this.#ready(node));
    }
    for (const node of nodes) {
      if (!this.#inFlight.some(item => item.to === node.id)) continue;
      section(node, 'receiving messages', () => this.#deliver(node.id, false));
    }
    for (const node of nodes) {
      if (node.appendWork.length === 0) continue;
      section(node, 'processing append thread', () => {
        while (node.appendWork.length > 0) this.#append(node);
      });
    }
    for (const node of nodes) {
      if (node.applyWork.length === 0) continue;
      section(node, 'processing apply thread', () => {
        while (node.applyWork.length > 0) this.#apply(node);
      });
    }
    return busy;
  }
}
