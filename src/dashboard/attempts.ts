/**
 * The attempts of a task, each with a track: waiting, starting and running drawn to scale between
 * the submit and the end of the task, or now.
 */
import type { AttemptView, TaskView } from '../model/task.ts';
import { byId, element, type Row, Rows, setClass, setText } from './dom.ts';
import { instant, size } from './format.ts';
import { attemptWords, outcomeWords, readySince, timesOf, usageWords } from './task-words.ts';
import { oneLine } from './text.ts';

interface Item {
  readonly task: TaskView;
  readonly attempt: AttemptView;
  readonly position: number;
  readonly nowMs: number;
}

class AttemptRow implements Row<Item> {
  readonly #title = element('strong');
  readonly #outcome = element('span');
  readonly #starting = element('span', { class: 'part starting' });
  readonly #running = element('span');
  readonly #words = element('p', { class: 'small' });
  readonly #message = element('p', { class: 'small' });
  readonly element = element(
    'li',
    {},
    element('p', { class: 'attempt-title' }, this.#title, this.#outcome),
    element(
      'div',
      { class: 'track', attributes: { 'aria-hidden': 'true' } },
      this.#starting,
      this.#running,
    ),
    this.#words,
    this.#message,
  );

  show({ task, attempt, position, nowMs }: Item): void {
    const { outcome } = attempt;
    const times = timesOf(attempt);
    const kind = outcome?.kind ?? (times.startedAtMs === undefined ? 'assigned' : 'running');
    setText(this.#title, `Attempt ${attempt.attempt} on ${oneLine(attempt.nodeName)}`);
    setText(this.#outcome, outcome === undefined ? kind : outcomeWords(outcome));
    setClass(this.#outcome, `badge ${kind}`);
    this.#draw(task, attempt, nowMs);
    setClass(this.#running, `part ${kind}`);
    const words = attemptWords(attempt, readySince(task, position), nowMs);
    const usage = outcome === undefined ? '' : usageWords(outcome, size);
    const began = instant(times.startedAtMs ?? times.assignedAtMs);
    setText(this.#words, [began, words, usage].filter(text => text !== '').join(' · '));
    setText(this.#message, oneLine(outcome?.message ?? ''));
  }

  #draw(task: TaskView, attempt: AttemptView, nowMs: number): void {
    const { assignedAtMs, startedAtMs, endedAtMs } = timesOf(attempt);
    const from = task.submittedAtMs;
    const until = Math.max(from + 1, task.settledAtMs ?? nowMs);
    const place = (part: HTMLElement, startMs: number, endMs: number): void => {
      const percent = (atMs: number): number =>
        Math.min(100, Math.max(0, ((atMs - from) / (until - from)) * 100));
      part.style.setProperty('left', `${percent(startMs)}%`);
      part.style.setProperty('width', `${percent(endMs) - percent(startMs)}%`);
    };
    const endMs = endedAtMs ?? until;
    place(this.#starting, assignedAtMs, startedAtMs ?? endMs);
    place(this.#running, startedAtMs ?? endMs, endMs);
  }
}

export class Attempts {
  readonly #none = byId('attempts-none', HTMLElement);
  readonly #rows: Rows<Item>;

  constructor() {
    const list = byId('attempts', HTMLElement);
    list.replaceChildren();
    this.#rows = new Rows(
      list,
      item => String(item.attempt.attempt),
      () => new AttemptRow(),
    );
  }

  show(task: TaskView, nowMs: number): void {
    this.#none.hidden = task.attempts.length > 0;
    this.#rows.show(task.attempts.map((attempt, position) => ({ task, attempt, position, nowMs })));
  }
}
