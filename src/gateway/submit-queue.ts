/**
 * Gathers the single submits that arrive in one turn of the event loop into one `submit` call:
 * under load the node then writes one log entry for many clients, and an idle node waits for
 * nobody.
 */

import { assert } from '../model/assert.ts';
import type { Actor } from '../model/command.ts';
import { limits } from '../model/limits.ts';
import type { NodeApi, SubmitRequest } from '../ports/node-api.ts';
import type { SubmitReply } from '../ports/submit-reply.ts';

interface Group {
  readonly actor: Actor;
  readonly requests: SubmitRequest[];
  readonly waiting: { resolve(reply: SubmitReply): void; reject(error: unknown): void }[];
}

export class SubmitQueue {
  readonly #api: NodeApi;
  #groups = new Map<string, Group>();

  constructor(api: NodeApi) {
    this.#api = api;
  }

  /** The node's reply to one request; rejects where the whole call failed. */
  submit(request: SubmitRequest, actor: Actor): Promise<SubmitReply> {
    return new Promise((resolve, reject) => {
      const key = `${actor.tenant}\0${actor.name}`;
      let group = this.#groups.get(key);
      if (group === undefined) {
        if (this.#groups.size === 0) setImmediate(() => this.#flush());
        group = { actor, requests: [], waiting: [] };
        this.#groups.set(key, group);
      }
      group.requests.push(request);
      group.waiting.push({ resolve, reject });
    });
  }

  #flush(): void {
    const groups = this.#groups;
    this.#groups = new Map();
    for (const { actor, requests, waiting } of groups.values()) {
      for (let from = 0; from < requests.length; from += limits.batchItemsMax) {
        const to = from + limits.batchItemsMax;
        this.#send(requests.slice(from, to), waiting.slice(from, to), actor);
      }
    }
  }

  #send(requests: readonly SubmitRequest[], waiting: Group['waiting'], actor: Actor): void {
    const fail = (error: unknown): void => {
      for (const client of waiting) client.reject(error);
    };
    this.#api
      .submit(requests, actor)
      .then(replies => {
        assert(replies.length === requests.length, 'the node replies to every request');
        for (const [position, client] of waiting.entries()) client.resolve(replies[position]!);
      })
      .catch(fail);
  }
}
