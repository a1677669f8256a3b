/**
 * Every kind of fault that the engine can inflict, as data: what it is called in a scenario, what
 * it does to its target, what a machine must offer for it, and what the cluster promises meanwhile.
 * A new kind begins here; how it is done stands in `inflict.ts` and `links.ts`.
 */

/** What a machine may lack; each is probed by doing it once, see `abilities.ts`. */
export type Ability = 'network' | 'smallDisk' | 'syscallDelay' | 'memoryLimit' | 'guest';

export interface KindRow {
  /** What is done to the target, for people: "n2 is killed with -9". */
  readonly does: string;
  readonly promise: string;
  readonly needs?: Ability | undefined;
  /** Takes a length; the others happen at an instant. */
  readonly lasts: boolean;
  /** Fields of the fault beside `at`, `for`, `kind` and `target`. */
  readonly options?: readonly OptionName[] | undefined;
  /** Whether the target takes no part in the cluster meanwhile, as others see it. */
  readonly away: boolean;
  /** Begins when the faults before it are over, however long they took. */
  readonly alone?: boolean | undefined;
  /** The target runs with what it had before once the fault is over; a wiped node does not. */
  readonly returns: boolean;
}

export const optionNames = [
  'every',
  'delay',
  'jitter',
  'percent',
  'rate',
  'bytes',
  'jump',
  'limit',
] as const;
export type OptionName = (typeof optionNames)[number];

const lost = 'no acknowledged task is lost, none runs twice at once';

export const faultKinds = {
  kill: {
    does: 'is killed with -9, and started again when the fault is over',
    promise: `its shards elect at once; its tasks go on under the supervisor; ${lost}`,
    lasts: true,
    away: true,
    returns: true,
  },
  stop: {
    does: 'is stopped in order, and started again when the fault is over',
    promise: 'it hands its leaderships over first; its tasks go on under the supervisor',
    lasts: true,
    away: true,
    returns: true,
  },
  restart: {
    does: 'is stopped in order and started again at once',
    promise: 'its tasks go on and are taken up again',
    lasts: false,
    away: true,
    returns: true,
  },
  rollingRestart: {
    does: 'is stopped in order and started again, one node after the other',
    promise: 'submits are taken all the time',
    lasts: false,
    away: false,
    returns: true,
  },
  restartStorm: {
    does: 'is killed with -9 and started again, over and over',
    promise: lost,
    lasts: true,
    options: ['every'],
    away: true,
    returns: true,
  },
  pause: {
    does: 'stands still (SIGSTOP)',
    promise: 'others lead its shards; it serves nothing stale afterwards; its tasks end in time',
    lasts: true,
    away: true,
    returns: true,
  },
  killSupervisor: {
    does: 'loses its supervisor (kill -9)',
    promise: 'every attempt under it ends with it and runs again elsewhere',
    lasts: false,
    away: false,
    returns: true,
  },
  pauseSupervisor: {
    does: 'has a supervisor that stands still (SIGSTOP)',
    promise: 'the node ends it and starts another one',
    lasts: true,
    away: false,
    returns: true,
  },
  crashMachine: {
    does: 'is killed with -9 together with its supervisor and tasks',
    promise: 'its tasks run again elsewhere once their leases are over',
    lasts: true,
    away: true,
    returns: true,
  },
  isolate: {
    does: 'is cut off from every other node, both ways',
    promise: 'the others go on; it acknowledges nothing and ends its attempts in time',
    needs: 'network',
    lasts: true,
    away: true,
    returns: true,
  },
  partition: {
    does: 'is cut off from the rest, but not from each other',
    promise: 'the side with a majority goes on, the other acknowledges nothing',
    needs: 'network',
    lasts: true,
    away: true,
    returns: true,
  },
  oneWay: {
    does: 'hears the others but is not heard',
    promise: 'others lead its shards; it does not depose them',
    needs: 'network',
    lasts: true,
    away: true,
    returns: true,
  },
  bridge: {
    does: 'is the only one that reaches both halves of the rest',
    promise: lost,
    needs: 'network',
    lasts: true,
    away: false,
    returns: true,
  },
  delay: {
    does: 'gets and sends every packet late',
    promise: 'tasks go on, slower',
    needs: 'network',
    lasts: true,
    options: ['delay', 'jitter'],
    away: false,
    returns: true,
  },
  loss: {
    does: 'loses packets in and out',
    promise: 'tasks go on, slower',
    needs: 'network',
    lasts: true,
    options: ['percent'],
    away: false,
    returns: true,
  },
  duplicate: {
    does: 'has packets doubled in and out',
    promise: 'nothing is noticed',
    needs: 'network',
    lasts: true,
    options: ['percent'],
    away: false,
    returns: true,
  },
  slowLink: {
    does: 'has a slow connection',
    promise: 'tasks go on, slower',
    needs: 'network',
    lasts: true,
    options: ['rate'],
    away: false,
    returns: true,
  },
  diskFull: {
    does: 'has no byte free on its disk; started again when there is room, should it have ended',
    promise: 'it refuses or ends with 74 rather than lie; the others go on',
    needs: 'smallDisk',
    lasts: true,
    away: true,
    returns: true,
  },
  slowDisk: {
    does: 'waits before every sync of its disk',
    promise: 'tasks go on, slower',
    needs: 'syscallDelay',
    lasts: true,
    options: ['delay'],
    away: false,
    returns: true,
  },
  wipe: {
    does: 'is killed with -9, its data directory is emptied, and it joins as a new node',
    promise: 'it never speaks under its old identity; the others go on',
    lasts: true,
    away: true,
    returns: false,
  },
  flipBytes: {
    does: 'is killed with -9, and bytes of its store are flipped before it starts again',
    promise: 'it refuses to start with 74, or starts with the right state',
    lasts: true,
    options: ['bytes'],
    away: true,
    returns: false,
  },
  clockJump: {
    does: 'has a wall clock that jumps, and jumps back when the fault is over',
    promise: 'leases and order are not moved by it',
    lasts: true,
    options: ['jump'],
    away: false,
    returns: true,
  },
  outOfMemory: {
    does: 'is ended by the kernel for want of memory, and started again when the fault is over',
    promise: 'as when it is killed',
    needs: 'memoryLimit',
    lasts: true,
    options: ['limit'],
    away: true,
    returns: true,
  },
  workerOutOfMemory: {
    does: 'loses its supervisor, which the kernel ends for want of memory',
    promise: 'every attempt under it ends with it and runs again; the node starts another one',
    needs: 'memoryLimit',
    lasts: false,
    options: ['limit'],
    away: false,
    returns: true,
  },
  powerCut: {
    does: 'loses its power together with all others, with what it had not brought to its disk',
    promise: `the cluster comes back by itself; ${lost}`,
    needs: 'guest',
    lasts: true,
    alone: true,
    away: true,
    returns: true,
  },
} as const satisfies Record<string, KindRow>;

export type FaultKind = keyof typeof faultKinds;

export const faultNames = Object.keys(faultKinds) as FaultKind[];

export const kindRow = (kind: FaultKind): KindRow => faultKinds[kind];
