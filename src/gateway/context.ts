/** What every route is given: the node's verbs and the few things that outlive a request. */
import type { Log } from '../ports/log.ts';
import type { NodeApi } from '../ports/node-api.ts';
import type { HttpMetrics } from './http-metrics.ts';
import type { Intake } from './intake.ts';
import type { SubmitQueue } from './submit-queue.ts';

export interface GatewayContext {
  readonly api: NodeApi;
  readonly log: Log;
  readonly submits: SubmitQueue;
  readonly intake: Intake;
  readonly metrics: HttpMetrics;
  /** Aborted when the gateway stops: long polls and streams end then. */
  readonly stopping: AbortSignal;
  /** The OpenAPI document, made from the routes. */
  openapi(): unknown;
}
