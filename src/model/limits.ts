/** Every bound in one place. Relations between them are asserted when this file is loaded. */
import { assert } from './assert.ts';

const kib = 1024;
const mib = 1024 * kib;

export const limits = {
  /** Script carried inside a spec. */
  scriptBytesMax: 256 * kib,
  argvBytesMax: 128 * kib,
  envBytesMax: 64 * kib,
  nameBytesMax: 200,
  keyBytesMax: 256,
  labelsMax: 64,
  labelBytesMax: 256,
  /** TCP ports of one attempt. */
  portsMax: 1_000,
  /** Processes and threads of one attempt at a time. */
  attemptProcessesMax: 4_096,
  attemptsMax: 1_000,
  arrayMax: 10_000,
  /** Tasks that start together: each is told of all others. */
  gangMax: 256,
  reservationsMax: 1_000,
  /** Of which a node keeps a part: its advertisement names each. */
  reservationsPerNodeMax: 64,
  /** Nodes of one reservation. */
  reservationNodesMax: 1_000,
  reservationMsMax: 3_660 * 86_400_000,
  /** One encoded spec, and one HTTP document that holds one. */
  specBytesMax: 512 * kib,
  httpBodyBytesMax: 64 * mib,
  /** Bodies of all requests to a node that are not answered yet. */
  httpBytesInFlightMax: 128 * mib,
  batchItemsMax: 1_000,
  capMsMax: 30 * 86_400_000,
  /** How long after its submit a task may be told to begin. */
  delayMsMax: 3_660 * 86_400_000,
  /** Delay tolerance: of a task that says none, and what one may say. */
  toleranceMsDefault: 86_400_000,
  toleranceMsMin: 1_000,
  toleranceMsMax: 366 * 86_400_000,
  /** Windows of one task. */
  windowsMax: 16,
  /** Tasks and gangs that wait for which a leader keeps room. */
  claimsMax: 4,
  /** Nodes on which it keeps that room: of a gang as many as it has tasks. */
  claimedNodesMax: 260,
  /** Waiting tasks that a leader tells the others of, so that they leave room to them. */
  headsMax: 8,
  /** Tenants of which a leader tells the others what they hold with it: the largest. */
  advertisedTenantsMax: 64,
  leaseMsDefault: 20_000,
  leaseMsMin: 5_000,
  leaseMsMax: 3_600_000,
  graceMsDefault: 2_000,
  graceMsMax: 60_000,
  /** Output kept of one attempt, both streams together. */
  outputBytesDefault: 16 * mib,
  outputBytesMax: 1024 * mib,
  /** Tail of the output that travels with the outcome. */
  outcomeTailBytes: 4 * kib,
  /** Attempts that ended with their node, before the task is given up as poison. */
  lostMax: 5,
  /** Supervisors that ended under attempts of a task, before it is given up as poison. */
  supervisorsLostMax: 2,
  /** Causes that each of `retryOn` and `noRetryOn` names. */
  causesMax: 32,
  /** Unsettled tasks of one order key, or of one key of `maxRunningPer`. */
  lineMax: 100_000,
  /** How many tasks of one key of `maxRunningPer` may be allowed to run at a time. */
  maxRunningPerMax: 10_000,
  /** Nodes a task remembers that it failed on. */
  avoidMax: 8,
  /** Ended attempts kept of one task, the newest. */
  attemptsKept: 32,
  /** Characters kept of the tail and message of an attempt that was followed by another. */
  retriedTailMax: 256,
  /** Waiting tasks of one shard. */
  waitingPerShardMax: 1_000_000,
  /** Schedules of one shard, and bytes of their task specifications together. */
  schedulesPerShardMax: 1_000,
  scheduleBytesPerShardMax: 32 * mib,
  /** Name of a schedule. */
  scheduleNameBytesMax: 63,
  /** Text of a cron pattern. */
  cronBytesMax: 256,
  /** Tasks of one schedule that have not settled. */
  scheduleActiveMax: 1_000,
  /** Occurrences of one schedule that wait for the task before them. */
  scheduleQueueMax: 1_000,
  /** Firings that a schedule remembers. */
  scheduleRecentMax: 10,
  /** Occurrences that one request may fire again. */
  backfillMax: 1_000,
  /** Occurrences told at once of what is to come. */
  nextOccurrencesMax: 1_000,
  /** No firing is later than this by chance. */
  jitterMsMax: 86_400_000,
  /** No task leaves the history sooner than this after it was submitted and settled. */
  historyMsMin: 10_000,
  /** Tasks named by ID that a task waits for. */
  afterMax: 64,
  /** Tasks elsewhere that wait for one task. */
  dependentsMax: 10_000,
  /** What a task hands on in its TSCHED_OUTPUT file. */
  handedOnBytesMax: 64 * kib,
  /** What a task is given of its parents: files, and bytes of them together. */
  inputsMax: 256,
  inputBytesMax: 256 * kib,
  workflowTasksMax: 10_000,
  /** Edges of one workflow. */
  workflowEdgesMax: 100_000,
  /** Tasks of a workflow that share a row of its graph, and are submitted together at most. */
  workflowChunkTasks: 1_000,
  /** Messages of a shard to others that are not acknowledged yet. */
  outboxMax: 100_000,
  /** Messages, and bytes of them, that are delivered together. */
  deliveryMax: 256,
  deliveryBytesMax: mib,
  /** Nor by the plan of its tenant sooner than this: see `node/history-rules.ts`. */
  historyOwnMsMin: 600_000,
  historyMsMax: 3_660 * 86_400_000,
  historyCountMax: 1_000_000_000,
  /** Events kept of one shard. */
  eventsPerShard: 2_000,
  /** Frames between two nodes. */
  frameBytesMax: 32 * mib,
  peerQueueBytesMax: 16 * mib,
  rpcBytesMax: 8 * mib,
  rpcInFlightMax: 10_000,
  gossipBytesMax: 64 * kib,
  /** Prefetched attempts a worker queues beyond what runs. */
  prefetchMax: 8,
  runningMax: 4_096,
  /** State rows of a group that may wait for their flush. */
  dirtyRowsMax: 5_000,
  dirtyBytesMax: 8 * mib,
  /** Entries of a group's log that stay behind its newest truncation. */
  logEntriesKept: 2_000,
  /** What may be dropped of a log is dropped once it is more than either of these. */
  logEntriesSpare: 10_000,
  logBytesSpare: 8 * mib,
  /** Bytes of a log beyond which followers that lag are left to a snapshot. */
  logBytesMax: 64 * mib,
  /** One piece of a snapshot on the wire, and what its stream may carry a second. */
  snapshotChunkBytes: 256 * kib,
  snapshotBytesPerSecond: 32 * mib,
  /** Pieces under way that the receiver has not confirmed. */
  snapshotWindow: 8,
  /** Messages of a bulk stream, and how many of them may wait to be read. */
  bulkMessageBytesMax: 512 * kib,
  bulkMessagesMax: 32,
  /** One row of a group's state, key and value. */
  rowBytesMax: 8 * mib,
  /** Snapshots that a node sends and takes in at a time. */
  snapshotsOut: 2,
  snapshotsIn: 1,
  /** A transfer that does not move for so long is given up. */
  snapshotStallMs: 60_000,
  /** Submits waiting for consensus on one node. */
  submitsInFlightMax: 20_000,
  /** Submits and cancels of other nodes that wait for consensus on one. */
  forwardedBytesInFlightMax: 128 * mib,
  /** Reads of one group that wait for a majority or for what it committed. */
  readsWaitingMax: 20_000,
  /** Consensus messages that wait for the next turn of the drive loop. */
  inboxMax: 65_536,
  /** Groups that a leader gives new replicas at a time, and such replicas of one node. */
  groupsMovingMax: 8,
  replicasCatchingUpMax: 8,
  /** Starts of a node that its store remembers until the registry has confirmed one. */
  unconfirmedStartsMax: 64,
  /** Nodes that `peers.json` names, and addresses of each. */
  contactsMax: 32,
  contactAddressesMax: 8,
  /** Damaged stores that a node puts aside by itself within a day, and how many it keeps. */
  rebuildsPerDayMax: 2,
  quarantinesKept: 2,
  /** Parameters of one template, values of one that is an enum, and one value. */
  templateParametersMax: 64,
  templateEnumMax: 256,
  templateValueBytesMax: 4_096,
  templateDescriptionBytesMax: 1_000,
  /** One template as it is kept, and all revisions of all of them. */
  templateBytesMax: 64 * kib,
  templatesBytesMax: 16 * mib,
  templatesMax: 1_000,
  templateRevisionsMax: 100,
  /** Deleted templates whose newest revision is remembered. */
  templatesRememberedMax: 1_000,
  /** Tenants that are paused at a time. */
  pausesMax: 1_000,
  /** Tasks that one plan looks at, an array counted as all of them. */
  plannedTasksMax: 10_000,
  /** Verdicts in one plan: tasks by nodes. */
  plannedVerdictsMax: 20_000,
  /** Tasks, and stages, that the plan of a workflow tells one by one; the others are counted. */
  plannedRowsMax: 1_000,
  /** Kinds of tasks of a workflow, behind its first ones, that its plan asks the planner about. */
  plannedKindsMax: 50,
  shardsMax: 4_096,
  nodesMax: 1_000,
  /** Tenants of a cluster, plans, and bytes of what a plan says. */
  tenantsMax: 1_000,
  plansMax: 64,
  planBytesMax: 4 * kib,
  /** Highest limits that a plan may set. */
  submitsPerSecondMax: 100_000,
  submitsPerHourMax: 1_000_000_000,
  burstMax: 1_000_000,
  planTasksMax: 1_000_000_000,
  planWeightMax: 1_000,
  /** Submits of one tenant that wait at a node for a slice of the tenant's budget. */
  budgetWaitingMax: 10_000,
} as const;

assert(limits.historyMsMin <= limits.historyOwnMsMin, 'a plan cannot forget what apply keeps');
assert(limits.scriptBytesMax < limits.specBytesMax, 'a script fits its spec');
assert(limits.gangMax <= limits.batchItemsMax, 'a gang fits a batch');
assert(limits.gangMax + limits.claimsMax <= limits.claimedNodesMax, 'room is kept for any gang');
assert(limits.specBytesMax < limits.rpcBytesMax, 'a spec fits a request between nodes');
assert(limits.httpBodyBytesMax <= limits.httpBytesInFlightMax, 'a body fits what may wait');
assert(limits.rpcBytesMax < limits.frameBytesMax, 'a request fits a frame');
assert(limits.logBytesSpare < limits.logBytesMax, 'a log is truncated before it is too long');
assert(limits.snapshotChunkBytes < limits.bulkMessageBytesMax, 'a piece fits a message');
assert(limits.snapshotWindow < limits.bulkMessagesMax, 'what is under way may wait');
assert(limits.specBytesMax < limits.rowBytesMax, 'a spec fits a row');
assert(limits.rebuildsPerDayMax <= limits.quarantinesKept, 'the stores put aside are counted');
assert(limits.supervisorsLostMax <= limits.lostMax, 'those that end with a supervisor are lost');
assert(limits.lostMax < limits.attemptsKept, 'one that started is among those that are kept');
assert(limits.leaseMsMin <= limits.leaseMsDefault, 'the default lease is allowed');
