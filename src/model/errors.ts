/**
 * The one table of error codes. A code is stable: programs match on it, never on the message. Each
 * has the HTTP status the API answers with, the exit code of the CLI (DESIGN section 2) and a
 * suggestion. A retired code stays listed and is never used again.
 */

export interface ErrorRow {
  readonly http: number;
  readonly exit: number;
  readonly title: string;
  /** What the reader can do about it. */
  readonly suggestion: string;
}

const row = (http: number, exit: number, title: string, suggestion: string): ErrorRow => ({
  http,
  exit,
  title,
  suggestion,
});

export const errorTable = {
  badRequest: row(400, 2, 'The request is malformed', 'Correct the field that the message names.'),
  badSpec: row(
    400,
    2,
    'The task specification is not valid',
    'Correct the field that the message names; `tsched submit --help` lists them.',
  ),
  badYaml: row(
    400,
    2,
    'The file is not valid YAML',
    'Look at the line and column that the message names.',
  ),
  badId: row(
    400,
    2,
    'Not a task ID',
    'Use the ID that `tsched submit` printed, its last 8 characters, or `last`.',
  ),
  ambiguousId: row(409, 2, 'The short ID fits several tasks', 'Give more characters of the ID.'),
  notYet: row(
    501,
    2,
    'This part of the specification is declared but not built yet',
    'Leave the field out.',
  ),
  tooLarge: row(
    413,
    2,
    'The request is over a size limit',
    'Make it smaller; the message names the limit.',
  ),
  unauthorized: row(
    401,
    1,
    'No valid token',
    'Give a token with --token-file, TSCHED_TOKEN or a profile.',
  ),
  forbidden: row(403, 1, 'The token does not allow this', 'Use a token with the needed role.'),
  unknownTask: row(404, 1, 'No such task', 'Check the ID with `tsched list`.'),
  unknownWorkflow: row(
    404,
    1,
    'No such workflow',
    'Check the ID that `tsched submit -f` printed; it leaves the history with its tasks.',
  ),
  unknownNode: row(404, 1, 'No such node', 'Check the name with `tsched node list`.'),
  unknownTenant: row(404, 1, 'No such tenant', 'Make it with `tsched tenant create NAME`.'),
  unknownPlan: row(404, 1, 'No such plan', 'See the plans with `tsched quota show`.'),
  unknownToken: row(404, 1, 'No such token', 'See the tokens with `tsched token list`.'),
  tenantTaken: row(
    409,
    1,
    'There is a tenant of this name already',
    'Choose another name, or change it with `tsched tenant set`.',
  ),
  unknownRoute: row(404, 1, 'No such resource', 'See the OpenAPI document at /v1/openapi.json.'),
  idTaken: row(
    409,
    1,
    'This ID belongs to a task with a different specification',
    'Submit without an ID, so that a new one is drawn.',
  ),
  idExpired: row(
    410,
    1,
    'The ID is older than the history that is kept',
    'If it was submitted before, it settled long ago; else submit without an ID, and see the clock.',
  ),
  keyConflict: row(
    409,
    1,
    'The idempotency key belongs to a task with a different specification',
    'Use another key, or submit the same specification.',
  ),
  badSchedule: row(
    400,
    2,
    'The schedule is not valid',
    'Correct the field that the message names; `tsched schedule create --help` lists them.',
  ),
  unknownSchedule: row(404, 1, 'No such schedule', 'Check the name with `tsched schedule list`.'),
  scheduleExists: row(
    409,
    1,
    'Another schedule has this name',
    'Use another name, or delete that one first: `tsched schedule delete NAME`.',
  ),
  scheduleBusy: row(
    409,
    1,
    'A task of the schedule has not settled, and its overlap policy is skip',
    'Wait for that task or cancel it; `tsched schedule show NAME` names it.',
  ),
  tooManySchedules: row(
    429,
    7,
    'The shard holds as many schedules as it may',
    'Delete some, or give this one another name, so that it lives in another shard.',
  ),
  alreadySettled: row(
    409,
    1,
    'The task is settled and cannot change',
    'Use `tsched retry ID` to run it again as a new task.',
  ),
  notSettled: row(
    409,
    1,
    'The task has not settled yet',
    'Wait for it with `tsched wait ID`, or cancel it first.',
  ),
  notDeadLetter: row(
    409,
    1,
    'The task is no dead letter',
    'List those there are with `tsched dlq list`; `tsched retry ID` runs any settled task again.',
  ),
  notWaiting: row(
    409,
    1,
    'The task does not wait any more',
    'Only its cap can change now; for the rest cancel it and submit it anew.',
  ),
  noOutput: row(
    404,
    1,
    'There is no output to show',
    'The attempt may not have started; see `tsched status ID`.',
  ),
  nodeUnreachable: row(
    503,
    6,
    'The node that holds this cannot be reached',
    'Try again when the node is back; `tsched node list` shows it.',
  ),
  neverFits: row(
    422,
    7,
    'No node the cluster has ever advertised can run this task',
    'Ask for less, or start a node that is large enough.',
  ),
  unknownReservation: row(
    404,
    1,
    'No such reservation',
    'See `tsched reserve list`; one ends by itself at its date.',
  ),
  reservationTaken: row(
    409,
    1,
    'Another reservation has this name',
    'Give another name, or release that one with `tsched reserve release NAME`.',
  ),
  tooManyTasks: row(
    429,
    7,
    'The shard holds as many waiting tasks as it may',
    'Try again after the time in Retry-After.',
  ),
  rateLimited: row(
    429,
    7,
    'Rate limit exceeded',
    'Try again after the time in Retry-After; `tsched quota show` tells the limits of a plan.',
  ),
  quotaExceeded: row(
    429,
    7,
    'The quota of the tenant is used up',
    'Wait until some of its tasks have started or ended, or ask for a larger plan.',
  ),
  notInPlan: row(
    403,
    7,
    'The plan of the tenant does not allow this',
    'Ask for less, or for another plan; `tsched tenant show` tells what the plan allows.',
  ),
  overloaded: row(503, 7, 'The node is overloaded', 'Try again after the time in Retry-After.'),
  diskFull: row(
    507,
    7,
    'The disk of the node is nearly full',
    'Make room on it, or start a node with a larger one; `tsched node show` tells what is free.',
  ),
  noQuorum: row(
    503,
    6,
    'The shard has no leader with a majority',
    'Start the missing nodes; `tsched cluster health` shows which.',
  ),
  notLeader: row(
    503,
    6,
    'The replica does not lead its shard',
    'The request is repeated at the leader; nothing to do.',
  ),
  unreachable: row(
    503,
    6,
    'No node could be reached',
    'Check --addr and that a node runs: `tsched node start`.',
  ),
  starting: row(
    503,
    6,
    'The node is starting and does not take tasks yet',
    'Try again in a moment.',
  ),
  requestTimeout: row(
    408,
    6,
    'The request did not arrive in time',
    'Send it again: nothing of it was taken. The node or the network is very slow.',
  ),
  waitTimeout: row(504, 5, 'The wait timed out', 'Wait again; the task goes on.'),
  outcomeUnknown: row(
    504,
    8,
    'The outcome of the request is not known',
    'Repeat it with the same ID: that is safe.',
  ),
  unknownTemplate: row(404, 1, 'No such template', 'Look with `tsched template list`.'),
  templateTaken: row(
    409,
    1,
    'There is a template of this name',
    'Make a new revision of it with `tsched template update NAME`, or take another name.',
  ),
  templateChanged: row(
    409,
    1,
    'The template has another revision than the change was made for',
    'Look at it with `tsched template show NAME`, and make the change again.',
  ),
  cursorExpired: row(
    410,
    1,
    'The cursor points before the events that are kept',
    'Start again without a cursor.',
  ),
  tooFewNodes: row(
    409,
    1,
    'Too few nodes would be left',
    'Add a node first; `--force` does it all the same where that is safe.',
  ),
  notDrained: row(
    409,
    1,
    'The node is neither drained nor dead',
    'Drain it first: `tsched node drain ID --wait`.',
  ),
  nodeRemoved: row(
    410,
    1,
    'The node was removed from the cluster',
    'Its data directory has no more use: delete it, and join with a new one and a join token.',
  ),
  storeRolledBack: row(
    409,
    74,
    'The data directory is an older copy',
    'It has forgotten what it promised: delete its `store`, and join again with --join TOKEN.',
  ),
  joinRefused: row(
    403,
    1,
    'The cluster did not accept the join token',
    'Print a new one with `tsched cluster token`.',
  ),
  badToken: row(
    400,
    2,
    'The join token cannot be read',
    'Copy it whole, as `tsched cluster token -q` prints it.',
  ),
  dataDirEmpty: row(
    400,
    2,
    'The data directory is empty and there is no join token',
    'Make a new cluster with `tsched cluster init --data-dir D`, or join one with --join TOKEN.',
  ),
  dataDirInUse: row(
    409,
    1,
    'Another process has the data directory open',
    'Stop it first, or give another --data-dir.',
  ),
  dataDirTaken: row(
    409,
    1,
    'The data directory holds a cluster already',
    'Start it with `tsched node start --data-dir D`, or give an empty one.',
  ),
  dataDirForeign: row(
    409,
    1,
    'The data directory belongs to another cluster or node',
    'Give the right --data-dir.',
  ),
  programTooOld: row(
    500,
    1,
    'The program is older than what it has to read',
    'Start the version that the other nodes run on this data directory; nothing is lost.',
  ),
  storageFault: row(
    500,
    74,
    'The disk failed or its content is damaged',
    'See the message; the node does not go on with a store it cannot trust.',
  ),
  internal: row(500, 1, 'A bug in tsched', 'Please report it with the log of the node.'),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;

export interface ErrorDetail {
  /** JSON pointer or flag that the error is about. */
  readonly field?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly [name: string]: string | number | boolean | undefined;
}

/** An operational error: expected, told to the user, matched by `code`. */
export class TschedError extends Error {
  override readonly name = 'TschedError';
  readonly code: ErrorCode;
  readonly detail: ErrorDetail;

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.detail = detail;
  }
}

export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(errorTable, code);
