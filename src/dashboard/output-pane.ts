/**
 * The output of one attempt: its last part, and what is added while it is followed. A stream that
 * breaks is opened again at the byte it had reached. Bounded: what no longer fits leaves first.
 */
import type { TaskView } from '../model/task.ts';
import type { Api } from './api.ts';
import { byId, element, setText } from './dom.ts';
import { size } from './format.ts';
import { ApiError, noAnswer, wordsOf } from './problem.ts';
import { pause } from './repeat.ts';
import { timesOf } from './task-words.ts';
import { OutputText, oneLine } from './text.ts';

const tailBytes = 64 * 1024;
const shownCharsMax = 512 * 1024;
const retryMs = 2_000;
/** Within this of the end, the pane stays at the end. */
const endPx = 40;

interface Wanted {
  readonly attempt: number;
  readonly stream: string;
  readonly follow: boolean;
}

export class OutputPane {
  readonly #api: Api;
  readonly #path: string;
  readonly #outer: AbortSignal;
  readonly #pane = byId('output', HTMLElement);
  readonly #note = byId('output-note', HTMLElement);
  readonly #attempt = byId('output-attempt', HTMLSelectElement);
  readonly #stream = byId('output-stream', HTMLSelectElement);
  readonly #follow = byId('output-follow', HTMLInputElement);
  #reading: AbortController | undefined;
  #wanted = '';
  #chosen = false;
  #chars = 0;
  #tail = '';

  constructor(api: Api, id: string, signal: AbortSignal) {
    this.#api = api;
    this.#path = `/v1/tasks/${encodeURIComponent(id)}/logs`;
    this.#outer = signal;
    this.#attempt.replaceChildren();
    this.#clear();
    setText(this.#note, 'No attempt has started yet.');
    const choose = (): void => this.#start();
    this.#attempt.addEventListener(
      'change',
      () => {
        this.#chosen = true;
        choose();
      },
      { signal },
    );
    this.#stream.addEventListener('change', choose, { signal });
    this.#follow.addEventListener('change', choose, { signal });
    signal.addEventListener('abort', () => this.#reading?.abort());
  }

  /** Offers the attempts that have started; the newest is shown until another is chosen. */
  show(task: TaskView): void {
    const started = task.attempts.filter(attempt => timesOf(attempt).startedAtMs !== undefined);
    const names = started.map(attempt => String(attempt.attempt));
    const shown = [...this.#attempt.options].map(option => option.value);
    if (names.join() !== shown.join()) {
      const before = this.#attempt.value;
      const options = started.map(({ attempt, nodeName }) =>
        element('option', {
          text: `${attempt} on ${oneLine(nodeName)}`,
          attributes: { value: String(attempt) },
        }),
      );
      this.#attempt.replaceChildren(...options);
      this.#attempt.value = this.#chosen ? before : (names.at(-1) ?? '');
    }
    const chosen = started.find(attempt => String(attempt.attempt) === this.#attempt.value);
    this.#tail = chosen?.outcome?.tail ?? '';
    this.#start();
  }

  #start(): void {
    const attempt = Number(this.#attempt.value);
    if (attempt === 0) return;
    const wanted = { attempt, stream: this.#stream.value, follow: this.#follow.checked };
    const key = `${attempt} ${wanted.stream} ${wanted.follow}`;
    if (key === this.#wanted) return;
    this.#wanted = key;
    this.#reading?.abort();
    this.#reading = new AbortController();
    const signal = AbortSignal.any([this.#outer, this.#reading.signal]);
    this.#read(wanted, signal).catch(error => {
      if (!signal.aborted) setText(this.#note, wordsOf(error));
    });
  }

  async #read(wanted: Wanted, signal: AbortSignal): Promise<void> {
    this.#clear();
    setText(this.#note, 'Asking the node …');
    let offset: number | undefined;
    while (!signal.aborted) {
      try {
        offset ??= await this.#tailOffset(wanted, signal);
        for await (const bytes of this.#pieces(wanted, offset, signal)) offset += bytes;
        setText(this.#note, offset === 0 ? 'Nothing was written.' : `${size(offset)} in all.`);
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.#tell(error, offset);
        if (error instanceof ApiError && error.code === 'unknownTask') return;
      }
      await pause(retryMs, signal);
    }
  }

  #tell(error: unknown, offset: number | undefined): void {
    const known = offset === undefined && this.#chars === 0 && this.#tail !== '';
    if (known) this.#append(shownTail(this.#tail));
    const last = this.#chars > 0 && offset === undefined;
    setText(
      this.#note,
      `${wordsOf(error)}${last ? ' These are its last lines, as recorded.' : ''}`,
    );
  }

  /** Where the last part begins: the size is in the headers of the answer, which is then left. */
  async #tailOffset(wanted: Wanted, signal: AbortSignal): Promise<number> {
    const probe = new AbortController();
    const either = AbortSignal.any([signal, probe.signal]);
    const response = await this.#open({ ...wanted, follow: false }, 0, either);
    probe.abort();
    const whole = Number(response.headers.get('X-Tsched-Size') ?? 0);
    this.#clear();
    if (whole <= tailBytes) return 0;
    this.#append(`… ${size(whole - tailBytes)} before this are not shown …\n`);
    return whole - tailBytes;
  }

  async #open(wanted: Wanted, offset: number, signal: AbortSignal): Promise<Response> {
    const query = new URLSearchParams({
      attempt: String(wanted.attempt),
      stream: wanted.stream,
      offset: String(offset),
      follow: String(wanted.follow),
    });
    return await this.#api.open(`${this.#path}?${query}`, { signal });
  }

  /** Shows what comes and yields how many bytes it was; throws where the answer broke off. */
  async *#pieces(wanted: Wanted, offset: number, signal: AbortSignal): AsyncGenerator<number> {
    const response = await this.#open(wanted, offset, signal);
    const ended = response.headers.get('X-Tsched-Ended') === 'true';
    setText(this.#note, wanted.follow && !ended ? 'Following.' : 'Reading.');
    const reader = response.body?.getReader();
    if (reader === undefined) return;
    const text = new OutputText();
    for (;;) {
      const { done, value } = await reader.read().catch(() => {
        // A broken connection: what follows is asked for again.
        signal.throwIfAborted();
        throw noAnswer();
      });
      if (done) break;
      this.#append(text.push(value));
      yield value.length;
    }
    this.#append(text.end());
  }

  #clear(): void {
    this.#pane.replaceChildren();
    this.#chars = 0;
  }

  #append(text: string): void {
    if (text === '') return;
    const pane = this.#pane;
    const atEnd = pane.scrollHeight - pane.scrollTop - pane.clientHeight < endPx;
    pane.append(document.createTextNode(text));
    this.#chars += text.length;
    while (this.#chars > shownCharsMax && pane.childNodes.length > 1) {
      this.#chars -= pane.firstChild?.textContent?.length ?? 0;
      pane.firstChild?.remove();
    }
    if (atEnd) pane.scrollTop = pane.scrollHeight;
  }
}

const shownTail = (tail: string): string => {
  const text = new OutputText();
  return text.push(new TextEncoder().encode(tail)) + text.end();
};
