/**
 * What a run needs of a cluster, wherever that is: nodes that can be asked and broken, a place
 * where tasks leave their traces, and an end. How it is had is for a source of clusters to know;
 * the one to be used is chosen by what was asked for, in `sources.ts`.
 */
import type { Lack } from './abilities.ts';
import type { Answer, EventsFrom } from './calls.ts';
import type { Draw } from './draw.ts';
import type { FaultKind } from './fault-kinds.ts';
import type { UnexpectedEnd } from './history.ts';
import type { LinkFault } from './links.ts';
import type { Scenario } from './scenario.ts';

/** Takes back what was done. */
export type Heal = () => Promise<void>;

/** One node of the cluster, to be asked, and to be broken as far as its source allows. */
export interface ClusterNode {
  readonly number: number;
  /** Changes where the node comes back as another one. */
  readonly name: string;
  /** `HOST:PORT` of the HTTP API, as of the last start; empty before. */
  readonly address: string;
  /** Whether anything can be done to it. */
  readonly breakable: boolean;
  readonly alive: boolean;
  readonly paused: boolean;
  /** Runs, is not stopped by a signal, and its address is known: it answers. */
  readonly awake: boolean;
  /** It did not come up again and never will: a damaged store. */
  refused: boolean;
  /** `exit code 74`, or a signal; of the last process that ended. */
  readonly howEnded: string;

  /** Starts it without waiting for it. */
  launch(moreFlags?: readonly string[]): Promise<void>;
  /** Until it takes tasks: `ready`, or its exit code where it ended instead; else it is late. */
  untilReady(signal?: AbortSignal): Promise<'ready' | 'late' | number>;
  /** Whether the next end of the process, whoever brings it about, is part of the plan. */
  expectEnd(expected?: boolean): void;
  /** The last lines of its log, for a person. */
  tail(): string;

  /** kill -9, and until the process is gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves with whether it ended by itself in time. It is gone in any case. */
  stop(): Promise<boolean>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Ends the supervisor with every attempt under it; says whether there was one. */
  killSupervisor(): Promise<boolean>;
  /** Stops it; `undefined` where there is none. Healing says whether it was still there. */
  pauseSupervisor(): Promise<(() => Promise<boolean>) | undefined>;
  slowSyncs(delayMs: number): Promise<Heal>;
  limitMemory(bytes: number): Promise<Heal>;
  /** The same for its supervisor; ends once the kernel has ended that, or rejects. */
  starveSupervisor(bytes: number, signal: AbortSignal): Promise<void>;
  /** Takes every byte that is free; resolves with how many there were. */
  fillDisk(): Promise<number>;
  emptyDisk(): Promise<void>;
  /** Empties its directory while it does not run: what comes back has a new name. */
  wipe(): Promise<void>;
  /** Flips bits of its store; resolves with where, for the report. */
  flipBytes(count: number, draw: Draw): Promise<string[]>;
  /** Sets how far its wall clock is off; where `followed`, until the node has said so. */
  moveClock(offsetMs: number, followed: boolean): Promise<void>;
}

/** The network between the nodes, where it can be broken. */
export interface BreakableLinks {
  /** From now on links suffer these faults and no others; packets so far. */
  apply(
    faults: readonly LinkFault[],
  ): Promise<{ readonly dropped: number; readonly doubled: number }>;
}

/** The power of the one machine that all nodes are on, where that can be cut. */
export interface Power {
  /** At once, for everything; what the machine had not brought to its disk is lost. */
  cut(tell: (what: string) => void): Promise<void>;
  /** Boots the machine, without starting nodes; rejects where the cut was none. */
  restore(tell: (what: string) => void): Promise<void>;
}

/** What the tasks of a run execute, its own arguments apart, and the file that they write. */
export interface TaskFiles {
  readonly command: readonly string[];
  readonly log: string;
}

/** What has to be known of a cluster to judge what was seen of it. */
export interface ClusterTraits {
  /** It was there before the run and is to be there after it. */
  readonly attached: boolean;
  /** Nodes, by the names that the cluster has for them, whose tasks cannot write the log. */
  readonly unseen: readonly string[];
  /** What a reader of the report has to know, in sentences. */
  readonly notes: readonly string[];
}

export interface Cluster {
  readonly nodes: readonly ClusterNode[];
  readonly traits: ClusterTraits;
  /** Keys of the run's tasks begin with it, and label them; no other tasks have it. */
  readonly runKey: string;
  readonly shards: number;
  /** Between two questions to a node on how it is; asking costs a slow one much. */
  readonly lookEveryMs: number;
  /** Between two tries of one submit: those that wait must not keep a slow node from starting. */
  readonly retryEveryMs: number;
  /** Submits that wait for an answer at a time; beyond that the work waits, as clients would. */
  readonly openMax: number;
  /** Ends of nodes that no fault asked for. */
  readonly unexpectedEnds: readonly UnexpectedEnd[];
  readonly links: BreakableLinks | undefined;
  readonly power: Power | undefined;
  /** Told when a node has ended, for whatever reason. */
  onEnd: () => void;

  node(number: number): ClusterNode;
  /** Makes it or joins it; resolves when every shard is replicated as it should be. */
  begin(say: (text: string) => void): Promise<void>;
  /** Asks a node; rejects where no answer comes in time. */
  call(
    node: ClusterNode,
    path: string,
    options?: { readonly body?: unknown; readonly limitMs?: number },
  ): Promise<Answer>;
  /** The stream of a node's events; rejects where it does not answer. */
  events(node: ClusterNode, from: EventsFrom): Promise<Response>;
  /** A join token of any node that gives one. */
  joinToken(): Promise<string>;
  /** Lays the program of the tasks down, and an empty log beside it. */
  layTaskFiles(program: string): Promise<TaskFiles>;
  /** What tasks have written so far. */
  readTaskLog(): Promise<string>;
  /**
   * Leaves nothing of the run, whatever state it is in; resolves with what was left after that. Not
   * `inOrder` where the run failed or was interrupted.
   */
  end(inOrder: boolean, say: (text: string) => void): Promise<string[]>;
}

export interface ClusterSettings {
  readonly scenario: Scenario;
  readonly seed: number;
  /** Faults that will be asked for. */
  readonly kinds: readonly FaultKind[];
  readonly signal: AbortSignal;
  readonly sinceStartMs: () => number;
}

/** A way to have a cluster. */
export interface ClusterSource {
  /** Kinds of faults that cannot be inflicted on what it gives, with the reason of each. */
  findLacks(kinds: readonly FaultKind[], scenario: Scenario): Promise<readonly Lack[]>;
  /** Nothing runs yet, and nothing was touched. */
  prepare(settings: ClusterSettings): Promise<Cluster>;
}
