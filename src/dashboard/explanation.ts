/** Why a task waits: its place, and what speaks against each node, with how old that is. */
import type { Explanation } from '../ports/node-api.ts';
import type { Api } from './api.ts';
import { byId, element, type Row, Rows, setClass, setText } from './dom.ts';
import { span } from './format.ts';
import { wordsOf } from './problem.ts';
import { type Repeated, repeat } from './repeat.ts';
import { oneLine } from './text.ts';

type Judged = Explanation['nodes'][number];

const everyMs = 3_000;
const soonMs = 500;

function verdictRow(): Row<Judged> {
  const name = element('td');
  const tier = element('td');
  const verdict = element('td');
  const heard = element('td', { class: 'number' });
  return {
    element: element('tr', {}, name, tier, verdict, heard),
    show(node) {
      setText(name, oneLine(node.name));
      setText(tier, node.tier);
      setText(verdict, oneLine(node.sentence));
      setClass(verdict, node.verdict.kind === 'fits' ? 'fits' : '');
      setText(heard, `${span(node.advertAgeMs)} ago`);
    },
  };
}

const asSentence = (words: string): string =>
  `${words.charAt(0).toUpperCase()}${oneLine(words).slice(1)}.`;

function startWords({ estimate }: Explanation): string {
  if (estimate === undefined) return '';
  const { startAtMs, sentence } = estimate;
  const leftMs = startAtMs === undefined ? undefined : Math.max(0, startAtMs - Date.now());
  return leftMs === undefined
    ? ` ${asSentence(sentence)}`
    : ` Likely to start in ${span(leftMs)}: ${oneLine(sentence)}.`;
}

/** Shown while the task waits, and read again from time to time for as long. */
export class ExplanationTable {
  readonly #section = byId('explain', HTMLElement);
  readonly #words = byId('explain-words', HTMLElement);
  readonly #rows: Rows<Judged>;
  readonly #api: Api;
  readonly #path: string;
  readonly #outer: AbortSignal;
  #waiting: AbortController | undefined;
  #reading: Repeated | undefined;

  constructor(api: Api, id: string, signal: AbortSignal) {
    this.#api = api;
    this.#path = `/v1/tasks/${encodeURIComponent(id)}/explain`;
    this.#outer = signal;
    this.#section.hidden = true;
    const body = byId('explain-rows', HTMLElement);
    body.replaceChildren();
    this.#rows = new Rows(body, node => node.node, verdictRow);
  }

  show(waits: boolean): void {
    this.#section.hidden = !waits;
    if (!waits) {
      this.#waiting?.abort();
      this.#waiting = undefined;
      return;
    }
    if (this.#waiting !== undefined) {
      this.#reading?.soon();
      return;
    }
    this.#waiting = new AbortController();
    const signal = AbortSignal.any([this.#outer, this.#waiting.signal]);
    const told = (error: unknown): void => {
      if (error !== undefined) setText(this.#words, wordsOf(error));
    };
    this.#reading = repeat({ everyMs, soonMs, signal, told }, () => this.#read(signal));
  }

  async #read(signal: AbortSignal): Promise<void> {
    const explained = await this.#api.get<Explanation>(this.#path, signal);
    const { position, readyInShard } = explained;
    const place =
      position === undefined || readyInShard === undefined
        ? ''
        : ` Place ${position} of ${readyInShard} ready in its shard.`;
    setText(this.#words, `${asSentence(explained.message)}${place}${startWords(explained)}`);
    this.#rows.show(explained.nodes);
  }
}
