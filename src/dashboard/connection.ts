/** Whether the page and its node understand each other, in the line at the top of the page. */
import { byId, setClass, setText } from './dom.ts';
import { wordsOf } from './problem.ts';

export class Connection {
  readonly #line = byId('status', HTMLElement);
  readonly #failures = new Map<string, unknown>();

  /** `source` went wrong with `error`, or well with `undefined`. */
  tell(source: string, error: unknown): void {
    if (error === undefined) this.#failures.delete(source);
    else this.#failures.set(source, error);
    this.#show();
  }

  /** Forgets what `source` said: it is not asked any more. */
  forget(source: string): void {
    this.tell(source, undefined);
  }

  clear(): void {
    this.#failures.clear();
    document.body.classList.remove('old');
    setText(this.#line, '');
    setClass(this.#line, 'status');
  }

  #show(): void {
    const [failure] = this.#failures.values();
    // What is on the page was true once: it stays, but no longer looks as if it were now.
    document.body.classList.toggle('old', failure !== undefined);
    setClass(this.#line, failure === undefined ? 'status live' : 'status failing');
    setText(this.#line, failure === undefined ? 'Live' : wordsOf(failure));
  }
}
