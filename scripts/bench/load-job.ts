/** What the load generator is told and what it tells; both are JSON between two processes. */

/** Stands in a document where each task gets a number of its own; as long as that number. */
export const placeholder = '@@@@@@@@@@@@';

export interface LoadJob {
  readonly targets: readonly { readonly host: string; readonly port: number }[];
  readonly token: string;
  /** Requests under way, over all targets together. */
  readonly inFlight: number;
  /** Tasks of one request; 1 goes to the route of single submits. */
  readonly batch: number;
  /** A task document as JSON. Every occurrence of `placeholder` becomes the number of the task. */
  readonly document: string;
  /** Number of the first task: differs from run to run, so that no two specs are equal. */
  readonly firstNumber: number;
  /** Either a time, of which the first part is not counted, or a number of tasks. */
  readonly until:
    | { readonly kind: 'time'; readonly warmUpMs: number; readonly measureMs: number }
    | { readonly kind: 'tasks'; readonly tasks: number };
}

export interface LoadResult {
  /** Tasks acknowledged in the counted time. */
  readonly acknowledged: number;
  /** All of them, the warm-up and what came after the end included. */
  readonly acknowledgedInAll: number;
  readonly refused: number;
  /** Requests without an answer: their tasks may or may not exist. */
  readonly broken: number;
  /** Up to five bodies of answers that refused something. */
  readonly refusals: readonly string[];
  readonly measuredMs: number;
  readonly requests: number;
  /** Of one request, milliseconds. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** CPU time of the generator for one request, microseconds. */
  readonly cpuMicrosPerRequest: number;
  /** Wall clock in milliseconds when the first request was sent. */
  readonly beganAtMs: number;
}
