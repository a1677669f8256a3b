/** Output of attempts: read on the node that ran them, followed from any node. */
import { TschedError } from '../model/errors.ts';
import type { NodeId, TaskId } from '../model/ids.ts';
import type { TaskView } from '../model/task.ts';
import type { OutputPage, OutputQuery } from '../ports/node-api.ts';
import type { OutputChunk, Runner } from '../ports/runner.ts';
import { attemptKey } from '../worker/attempt-ledger.ts';
import type { NodeContext } from './context.ts';

const chunkBytesMax = 1024 * 1024;
/** A reader is answered after this at the latest, with or without new output. */
const waitMsMax = 10_000;

interface OutputRequest {
  readonly key: string;
  readonly stream: 'stdout' | 'stderr';
  readonly offset: number;
  readonly maxBytes: number;
  readonly waitMs: number;
}

export class TaskOutput {
  readonly #context: NodeContext;
  readonly #runner: Runner;
  readonly #get: (id: TaskId) => Promise<TaskView>;
  readonly #nodeOf: (nodeId: NodeId) => string;

  constructor(deps: {
    readonly context: NodeContext;
    readonly runner: Runner;
    readonly get: (id: TaskId) => Promise<TaskView>;
    readonly nodeOf: (nodeId: NodeId) => string;
  }) {
    this.#context = deps.context;
    this.#runner = deps.runner;
    this.#get = deps.get;
    this.#nodeOf = deps.nodeOf;
    this.#context.peers.answer<OutputRequest>('output', async (_from, body) => {
      const page = await this.#here(body);
      return { ...page, bytes: Buffer.from(page.bytes).toString('base64') };
    });
  }

  async output(query: OutputQuery): Promise<OutputPage> {
    const view = await this.#get(query.id);
    const attempt =
      query.attempt === undefined
        ? view.attempts.findLast(one => one.startedAtMs !== undefined || one.outcome !== undefined)
        : view.attempts.find(one => one.attempt === query.attempt);
    if (attempt === undefined) {
      const which =
        query.attempt === undefined
          ? 'no attempt has started'
          : `there is no attempt ${query.attempt}`;
      throw new TschedError('noOutput', `task ${query.id}: ${which}; it is ${view.state}`);
    }
    const body = {
      key: attemptKey(query.id, attempt.fence ?? attempt.attempt),
      stream: query.stream,
      offset: query.offset,
      maxBytes: query.maxBytes,
      waitMs: Math.min(query.waitMs, waitMsMax),
    };
    const nodeName = this.#nodeOf(attempt.node);
    if (attempt.node === this.#context.nodeId) {
      return { attempt: attempt.attempt, node: nodeName, ...(await this.#here(body)) };
    }
    if (!this.#context.peers.connected(attempt.node)) {
      throw new TschedError(
        'nodeUnreachable',
        `the output is on node ${nodeName}, which is not connected`,
      );
    }
    const answer = await this.#context.peers.ask<{ bytes: string; size: number; ended: boolean }>(
      attempt.node,
      'output',
      body,
      body.waitMs + 3_000,
    );
    return {
      attempt: attempt.attempt,
      node: nodeName,
      bytes: new Uint8Array(Buffer.from(answer.bytes, 'base64')),
      size: answer.size,
      ended: answer.ended,
    };
  }

  async #here(body: OutputRequest): Promise<OutputChunk> {
    const { clock } = this.#context;
    const deadlineMs = clock.nowMs() + Math.min(body.waitMs, waitMsMax);
    const maxBytes = Math.min(body.maxBytes, chunkBytesMax);
    for (;;) {
      const chunk = await this.#runner.output(body.key, body.stream, body.offset, maxBytes);
      if (chunk === undefined) {
        throw new TschedError(
          'noOutput',
          `this node has no output of attempt ${body.key} any more`,
        );
      }
      if (chunk.bytes.length > 0 || chunk.ended || clock.nowMs() >= deadlineMs) return chunk;
      await new Promise<void>(resolve => clock.after(100, resolve));
    }
  }
}
