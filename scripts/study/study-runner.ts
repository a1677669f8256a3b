/** The processes of one simulated node: each runs for as long as the trace says. */
import { systemOutcome } from '../../src/model/attempt.ts';
import type { TaskId } from '../../src/model/ids.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { AttemptOrder, Runner, RunnerEvents, RunnerHello } from '../../src/ports/runner.ts';
import type { Links } from './links.ts';

export interface Processes {
  durationMs(taskId: TaskId): number;
  started(taskId: TaskId): void;
}

export class StudyRunner implements Runner {
  readonly #clock: Clock;
  readonly #links: Links;
  readonly #processes: Processes;
  readonly #incarnation: string;
  #events: RunnerEvents | undefined;

  constructor(options: {
    readonly clock: Clock;
    readonly links: Links;
    readonly processes: Processes;
    readonly incarnation: string;
  }) {
    this.#clock = options.clock;
    this.#links = options.links;
    this.#processes = options.processes;
    this.#incarnation = options.incarnation;
  }

  start(events: RunnerEvents): Promise<RunnerHello> {
    this.#events = events;
    return Promise.resolve({ incarnation: this.#incarnation, found: [], isolation: {} });
  }

  launch({ key, taskId }: AttemptOrder): void {
    this.#links.after('spawn', () => {
      const startedAtMs = this.#clock.wallMs();
      this.#processes.started(taskId);
      this.#events!.onStarted(key, startedAtMs);
      this.#clock.after(this.#processes.durationMs(taskId), () => {
        const outcome = { ...systemOutcome('succeeded', this.#clock.wallMs(), ''), startedAtMs };
        this.#links.after('exit', () => this.#events!.onEnded(key, { ...outcome, exitCode: 0 }));
      });
    });
  }

  end(): void {
    throw new Error('nothing is ended in the study');
  }

  control(): void {
    throw new Error('nothing is suspended in the study');
  }

  renew(): void {
    // No lease runs out here.
  }

  acknowledge(): void {
    // No record of an exit is kept.
  }

  output(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}
