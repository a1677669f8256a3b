/**
 * The listing: newest first, filtered by the node. An event changes the row it is about at once;
 * the listing itself is read again soon after, so that what is shown is what the node says.
 */
import type { TaskEvent, TaskSummary } from '../model/task.ts';
import type { ListPage } from '../ports/node-api.ts';
import type { Api } from './api.ts';
import { byId, element, type Row, Rows, setClass, setText } from './dom.ts';
import { ago, instant, span } from './format.ts';
import { type Filters, hashOfList, hashOfTask } from './location.ts';
import { wordsOf } from './problem.ts';
import { type Repeated, repeat } from './repeat.ts';
import {
  isSettledState,
  missingWords,
  reasonWords,
  runsWords,
  staleWords,
  titleOf,
} from './task-words.ts';
import { oneLine } from './text.ts';

const stepRows = 50;
const maxRows = 1_000;
const slowMs = 15_000;
const soonMs = 700;
const ageMs = 2_000;
const typingMs = 250;

class TaskRow implements Row<TaskSummary> {
  readonly #nowMs: () => number;
  readonly #state = element('span', { class: 'badge' });
  readonly #link = element('a', { class: 'task-link' });
  readonly #under = element('span', { class: 'under' });
  readonly #node = element('td', { class: 'c-node' });
  readonly #runs = element('td', { class: 'c-runs' });
  readonly #age = element('td', { class: 'c-age' });
  readonly #took = element('td', { class: 'c-took' });
  readonly element = element(
    'tr',
    {},
    element('td', { class: 'c-state' }, this.#state),
    element('td', { class: 'c-name' }, this.#link, this.#under),
    this.#node,
    this.#runs,
    this.#age,
    this.#took,
  );

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  show(task: TaskSummary): void {
    setText(this.#state, task.state);
    setClass(this.#state, `badge ${task.state}`);
    setText(this.#link, titleOf(task));
    this.#link.href = hashOfTask(task.id);
    setText(this.#under, underOf(task));
    setText(this.#node, oneLine(task.nodeName ?? ''));
    setText(this.#runs, runsWords(task));
    setText(this.#age, ago(task.submittedAtMs, this.#nowMs()));
    this.#age.title = instant(task.submittedAtMs);
    const { settledAtMs } = task;
    setText(this.#took, settledAtMs === undefined ? '' : span(settledAtMs - task.submittedAtMs));
  }
}

/** Second line of a row: the end of its ID, and why it waits or what it runs. */
function underOf(task: TaskSummary): string {
  const waits = task.state === 'waiting' && task.reason !== undefined;
  const what = waits
    ? reasonWords(task.reason ?? '')
    : task.name === ''
      ? ''
      : oneLine(task.command);
  return [task.id.slice(-8), what].filter(text => text !== '').join(' · ');
}

/** An ID, or the end of one, as `tsched submit` prints it. */
const mayBeId = (text: string): boolean => /^[0-9a-hjkmnp-tv-z]{4,20}$/.test(text);

const filtersOf = (): Filters => ({
  state: byId('filter-state', HTMLSelectElement).value,
  name: byId('filter-name', HTMLInputElement).value,
});

export class TaskList {
  readonly #api: Api;
  readonly #signal: AbortSignal;
  readonly #rows: Rows<TaskSummary>;
  readonly #note = byId('task-note', HTMLElement);
  readonly #more = byId('task-more', HTMLButtonElement);
  readonly #refresh: Repeated;
  #tasks: TaskSummary[] = [];
  #filters: Filters;
  #wanted = stepRows;
  #typing = 0;

  constructor(api: Api, filters: Filters, signal: AbortSignal, told: (error: unknown) => void) {
    this.#api = api;
    this.#signal = signal;
    this.#filters = filters;
    const body = byId('task-rows', HTMLElement);
    body.replaceChildren();
    setText(this.#note, 'Asking the node …');
    this.#rows = new Rows(
      body,
      task => task.id,
      () => new TaskRow(() => api.nowMs()),
    );
    this.#showFilters();
    this.#listen();
    const failed = (error: unknown): void => {
      told(error);
      if (error !== undefined && this.#tasks.length === 0) setText(this.#note, wordsOf(error));
    };
    this.#refresh = repeat({ everyMs: slowMs, soonMs, signal, told: failed }, () => this.#read());
    const ages = setInterval(() => {
      if (!document.hidden) this.#show();
    }, ageMs);
    signal.addEventListener('abort', () => {
      clearInterval(ages);
      clearTimeout(this.#typing);
    });
  }

  /** What is shown may be old: reads it again soon. */
  reread(): void {
    this.#refresh.soon();
  }

  take(event: TaskEvent): void {
    const place = this.#tasks.findIndex(task => task.id === event.taskId);
    const known = this.#tasks[place];
    if (known !== undefined && !isSettledState(known.state)) {
      const settledAtMs = isSettledState(event.state) ? event.atMs : known.settledAtMs;
      const changed = { ...known, state: event.state, settledAtMs };
      this.#tasks[place] = changed;
      this.#rows.showOne(changed);
    }
    this.reread();
  }

  setFilters(filters: Filters): void {
    if (filters.state === this.#filters.state && filters.name === this.#filters.name) return;
    this.#filters = filters;
    this.#wanted = stepRows;
    this.#showFilters();
    this.reread();
  }

  /** What is being typed stays as it is: the address follows it, not the other way round. */
  #showFilters(): void {
    const { state, name } = this.#filters;
    byId('filter-state', HTMLSelectElement).value = state;
    const input = byId('filter-name', HTMLInputElement);
    if (document.activeElement !== input) input.value = name;
  }

  #listen(): void {
    const go = (): void => location.replace(hashOfList(filtersOf()));
    const options = { signal: this.#signal };
    byId('filter-state', HTMLSelectElement).addEventListener('change', go, options);
    const typed = (): void => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(go, typingMs);
    };
    byId('filter-name', HTMLInputElement).addEventListener('input', typed, options);
    const submitted = (event: Event): void => {
      event.preventDefault();
      go();
    };
    byId('filters', HTMLFormElement).addEventListener('submit', submitted, options);
    const more = (): void => {
      this.#wanted = Math.min(maxRows, this.#wanted + stepRows);
      this.reread();
    };
    this.#more.addEventListener('click', more, options);
  }

  async #read(): Promise<void> {
    const filters = this.#filters;
    const query = new URLSearchParams({ limit: String(this.#wanted) });
    if (filters.state !== '') query.set('state', filters.state);
    if (filters.name !== '') query.set('name', filters.name);
    const page = await this.#api.get<ListPage>(`/v1/tasks?${query}`, this.#signal);
    if (filters !== this.#filters) return;
    this.#tasks = [...page.tasks];
    this.#show();
    this.#showNote(page, filters);
    this.#more.hidden = page.cursor === undefined || this.#wanted >= maxRows;
  }

  #showNote(page: ListPage, filters: Filters): void {
    const none = filters.state === '' && filters.name === '' ? 'No tasks yet.' : 'No such task.';
    const words = [missingWords(page.missingShards), staleWords(page.staleShards)];
    const incomplete = words.filter(text => text !== '').join(' ');
    setText(this.#note, incomplete !== '' ? incomplete : page.tasks.length === 0 ? none : '');
    if (page.tasks.length > 0 || !mayBeId(filters.name)) return;
    const attributes = { href: hashOfTask(filters.name) };
    this.#note.append(' ', element('a', { text: `Is ${filters.name} an ID?`, attributes }));
  }

  #show(): void {
    this.#rows.show(this.#tasks);
  }
}
