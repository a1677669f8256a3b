/**
 * Durability before speech: whatever a replica promises in a message is on its disk at that
 * instant. A vote needs its term and vote there, an acknowledged append the entries, any message
 * its term.
 */
import { readFrame } from '../../../src/node/frame.ts';
import type { Message } from '../../../src/raft/message.ts';
import type { SimNode } from '../sim-node.ts';
import { check } from '../violation.ts';
import type { Checker } from './checker.ts';

const ignore = (): void => undefined;

export class PromisesChecker implements Checker {
  sent(node: SimNode, peer: string, frame: Uint8Array): void {
    readFrame(frame, {
      raft: (group, _toStore, message) => this.#look(node, peer, group, message),
      request: ignore,
      response: ignore,
      toWorker: ignore,
      fromWorker: ignore,
      advert: ignore,
    });
  }

  #look(node: SimNode, peer: string, group: number, message: Message): void {
    if (message.reject) return;
    const stored = node.disk.groups.get(group);
    const said = (): string =>
      `${node.id} to ${peer}, group ${group}: ${message.type} of term ${message.term}`;
    if (message.type === 'MsgVoteResp') {
      const { hard } = stored ?? { hard: { term: 0, vote: 0 } };
      const kept = hard.term === message.term && hard.vote === message.to;
      check(kept || hard.term > message.term, () => `${said()} granted before it was durable`);
    } else if (message.type === 'MsgAppResp') {
      const last = (stored?.truncated.index ?? 0) + (stored?.log.length ?? 0);
      check(last >= message.index, () => `${said()} acknowledges ${message.index}, has ${last}`);
      const term = stored?.hard.term ?? 0;
      check(term >= message.term, () => `${said()} sent while its term on disk is ${term}`);
    }
  }
}
