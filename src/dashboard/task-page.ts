/** One task: what it is, why it waits, its attempts, its output, and what can be done about it. */
import type { TaskEvent, TaskView } from '../model/task.ts';
import type { Api } from './api.ts';
import { Attempts } from './attempts.ts';
import { confirm } from './confirm.ts';
import { byId, element, setClass, setText } from './dom.ts';
import { ExplanationTable } from './explanation.ts';
import { instant, span } from './format.ts';
import { hashOfTask } from './location.ts';
import { OutputPane } from './output-pane.ts';
import { ApiError, wordsOf } from './problem.ts';
import { type Repeated, repeat } from './repeat.ts';
import { isSettledState, reasonWords, runsWords, titleOf } from './task-words.ts';
import { oneLine } from './text.ts';

const slowMs = 15_000;
const soonMs = 200;
const drawMs = 1_000;

export class TaskPage {
  readonly #api: Api;
  readonly #path: string;
  readonly #signal: AbortSignal;
  readonly #attempts = new Attempts();
  readonly #explanation: ExplanationTable;
  readonly #output: OutputPane;
  readonly #refresh: Repeated;
  readonly #cancel = byId('task-cancel', HTMLButtonElement);
  readonly #retry = byId('task-retry', HTMLButtonElement);
  #task: TaskView | undefined;

  constructor(api: Api, id: string, signal: AbortSignal, told: (error: unknown) => void) {
    this.#api = api;
    this.#path = `/v1/tasks/${encodeURIComponent(id)}`;
    this.#signal = signal;
    this.#explanation = new ExplanationTable(api, id, signal);
    this.#output = new OutputPane(api, id, signal);
    this.#begin(id);
    this.#refresh = repeat(
      {
        everyMs: slowMs,
        soonMs,
        signal,
        told: error => {
          const unknown = error instanceof ApiError && error.code === 'unknownTask';
          if (error !== undefined && (unknown || this.#task === undefined)) this.#fail(error);
          told(unknown ? undefined : error);
        },
      },
      () => this.#read(),
    );
    const drawing = setInterval(() => this.#draw(), drawMs);
    signal.addEventListener('abort', () => clearInterval(drawing));
    this.#cancel.addEventListener('click', () => this.#askCancel(), { signal });
    this.#retry.addEventListener('click', () => this.#askRetry(), { signal });
  }

  /** What is shown may be old: reads it again soon. */
  reread(): void {
    this.#refresh.soon();
  }

  take(event: TaskEvent): void {
    if (this.#task === undefined || event.taskId === this.#task.id) this.reread();
  }

  #begin(id: string): void {
    setText(byId('task-name', HTMLElement), id);
    const state = byId('task-state', HTMLElement);
    setText(state, '…');
    setClass(state, 'badge');
    setText(byId('task-reason', HTMLElement), '');
    byId('task-facts', HTMLElement).replaceChildren();
    this.#cancel.disabled = true;
    this.#retry.disabled = true;
  }

  #fail(error: unknown): void {
    setText(byId('task-state', HTMLElement), 'not shown');
    setText(byId('task-reason', HTMLElement), wordsOf(error));
  }

  async #read(): Promise<void> {
    const task = await this.#api.get<TaskView>(this.#path, this.#signal);
    if (this.#signal.aborted) return;
    this.#task = task;
    const settled = isSettledState(task.state);
    setText(byId('task-name', HTMLElement), titleOf(task));
    document.title = `${titleOf(task)} · tsched`;
    const state = byId('task-state', HTMLElement);
    setText(state, task.state);
    setClass(state, `badge ${task.state}`);
    setText(byId('task-reason', HTMLElement), reasonOf(task));
    showFacts(task);
    this.#cancel.disabled = settled || task.cancelRequested !== undefined;
    this.#retry.disabled = !settled;
    this.#explanation.show(task.state === 'waiting');
    this.#output.show(task);
    this.#draw();
  }

  #draw(): void {
    if (this.#task !== undefined && !document.hidden) {
      this.#attempts.show(this.#task, this.#api.nowMs());
    }
  }

  #askCancel(): void {
    const task = this.#task;
    if (task === undefined) return;
    const runs = task.state === 'running';
    confirm({
      title: 'Cancel this task?',
      words: runs
        ? `${titleOf(task)} is running: it gets SIGTERM, and SIGKILL after its grace.`
        : `${titleOf(task)} will not run.`,
      yes: 'Cancel the task',
      asksReason: true,
      run: async reason => {
        await this.#api.post(`${this.#path}/cancel`, { reason });
        this.reread();
      },
    });
  }

  #askRetry(): void {
    const task = this.#task;
    if (task === undefined) return;
    confirm({
      title: 'Run it again?',
      words: `${titleOf(task)} stays as it is; a new task with the same specification is made.`,
      yes: 'Run again',
      asksReason: false,
      run: async () => {
        const made = await this.#api.post<{ id: string }>(`${this.#path}/retry`, {});
        location.hash = hashOfTask(made.id);
      },
    });
  }
}

function reasonOf(task: TaskView): string {
  const parts: string[] = [];
  if (task.state === 'waiting') parts.push(`Waits: ${reasonWords(task.reason ?? 'Queued')}.`);
  const { cancelRequested, reason = '' } = task;
  const told = task.state === 'waiting' || reason === cancelRequested?.reason;
  if (!told && reason !== '') parts.push(oneLine(reason));
  if (cancelRequested !== undefined) {
    const why = cancelRequested.reason === '' ? '' : `: ${oneLine(cancelRequested.reason)}`;
    parts.push(`Cancelled by ${oneLine(cancelRequested.by)}${why}.`);
  }
  if (task.stale) parts.push('No majority could confirm that this is the newest state.');
  return parts.join(' ');
}

/** May be long: it has a line of its own. */
const commandFact = 'Command';

function showFacts(task: TaskView): void {
  const facts: [string, string | Node][] = [
    [commandFact, oneLine(task.command)],
    ['ID', task.id],
    ['Attempts', `${runsWords(task)}${task.lost === 0 ? '' : `, ${task.lost} lost with a node`}`],
    ['Tier', task.tier],
    [
      'Submitted',
      `${instant(task.submittedAtMs)} by ${oneLine(task.owner)} (${oneLine(task.tenant)})`,
    ],
  ];
  const { settledAtMs, retryOf } = task;
  if (settledAtMs !== undefined) {
    const took = span(settledAtMs - task.submittedAtMs);
    facts.push(['Settled', `${instant(settledAtMs)}, after ${took}`]);
  }
  facts.push(['Shard', String(task.shard)]);
  if (retryOf !== undefined) {
    const attributes = { href: hashOfTask(retryOf) };
    facts.push(['Retry of', element('a', { text: retryOf, attributes })]);
  }
  if (task.arrayId !== undefined) {
    facts.push(['Array', `${task.arrayId}, index ${task.arrayIndex ?? '?'}`]);
  }
  const list = byId('task-facts', HTMLElement);
  const key = facts
    .map(([name, fact]) => `${name}=${fact instanceof Node ? fact.textContent : fact}`)
    .join('\n');
  if (list.dataset['shown'] === key && list.childElementCount > 0) return;
  list.dataset['shown'] = key;
  list.replaceChildren(
    ...facts.map(([name, fact]) => {
      const value = element('dd');
      value.append(fact);
      const place = name === commandFact ? { class: 'wide' } : {};
      return element('div', place, element('dt', { text: name }), value);
    }),
  );
}
