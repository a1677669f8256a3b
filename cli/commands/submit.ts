/** `tsched submit`: a command, a script or a file of tasks becomes tasks of the cluster. */
import { boolean, string } from '@oclif/core/flags';
import { shortId } from '../../src/model/ids.ts';
import { BaseCommand } from '../base-command.ts';
import { type CliError, usageError } from '../cli-error.ts';
import type { Client } from '../client.ts';
import { exitCodeText } from '../exit-codes.ts';
import { readInputs } from '../input/inputs.ts';
import type { FlagOf } from '../input/places.ts';
import { documentOfFlags, filesFlag, flagOfPointer, specFlags } from '../input/spec-flags.ts';
import type { PreparedTask } from '../input/tasks.ts';
import { readDuration } from '../input/values.ts';
import type { PreparedWorkflow } from '../input/workflow.ts';
import type { BatchResult, Submitted } from '../wire.ts';

/** IDs shown to a person; `-q` and `--json` give them all. */
const idsShownMax = 20;

interface SubmitOutcome {
  readonly submitted: readonly Submitted[];
  readonly results?: readonly BatchResult[] | undefined;
  readonly failure?: CliError | undefined;
}

export default class Submit extends BaseCommand {
  static override summary = 'Submit a command, a script or a file of tasks.';
  static override description =
    'Everything after `--` is the command. Without `--`, the first word is a script on this machine, ' +
    'whose bytes travel with the task, and its arguments; arguments that begin with a dash stand ' +
    'after `--`. `-f` takes YAML or JSON: one task, several with `---` between them, or a list; ' +
    'flags override the file. A map with `tasks` is a workflow: each of them has a `name`, and names ' +
    'those that it waits for in `after` (see docs/guides/workflows.md). It may be split: with several ' +
    '`-f` the tasks of all files are one workflow.\n\n' +
    'The ID is drawn here and stays the same while the request is repeated over lost connections, so ' +
    'a task is never accepted twice. `--attempts` is the total number of runs and `--cap` is for each ' +
    'of them.\n\n' +
    exitCodeText([0, 1, 2, 3, 4, 5, 6, 7, 8]) +
    ' 3, 4 and 5 only with --wait.';
  static override usage = [
    'submit [flags] -- COMMAND [ARGS]',
    'submit [flags] SCRIPT [ARGS]',
    'submit [flags] -f FILE|- [-f FILE]...',
    'submit [flags] --template NAME --set K=V',
  ];
  static override examples = [
    '<%= config.bin %> submit --name hello -- echo hello',
    '<%= config.bin %> submit --tier regular --cpu 2 --memory 1GiB --attempts 3 --cap 10m ./etl.sh 2024',
    '<%= config.bin %> submit -q --array 1-100 -- ./render.sh',
    '<%= config.bin %> submit -f tasks.yaml --wait --timeout 5m',
    '<%= config.bin %> submit --after 8f3a1c2e --when always -- ./clean.sh',
    '<%= config.bin %> submit -f workflow.yaml --wait',
    '<%= config.bin %> submit -f extract.yaml -f load.yaml -f report.yaml',
    '<%= config.bin %> submit --template nightly --set day=2024-07-31',
    'echo "command: [date]" | <%= config.bin %> submit -f -',
  ];
  static override strict = false;
  static override flags = {
    file: filesFlag,
    wait: boolean({ description: 'wait until the tasks have settled; exit as `wait` does' }),
    timeout: string({ description: 'with --wait: give up after this', helpValue: 'DURATION' }),
    ...specFlags,
  };

  /** How what was typed is called in messages. */
  protected readonly flagOf: FlagOf = flagOfPointer;

  override async run(): Promise<unknown> {
    // oclif sorts what it parses; the program's own arguments are taken as they stand.
    const end = this.argv.indexOf('--');
    const tail = end === -1 ? undefined : this.argv.slice(end + 1);
    const { flags, raw } = await this.parse(
      Submit,
      end === -1 ? this.argv : this.argv.slice(0, end),
    );
    this.begin(flags);
    const timeoutMs = readDuration('timeout', flags.timeout);
    if (timeoutMs !== undefined && !flags.wait) throw usageError('--timeout goes with --wait');
    const words = raw.flatMap(token => (token.type === 'arg' ? [token.input] : []));
    const after = flags.after && (await wholeIds(await this.connect(flags), flags.after));
    const fromFlags = documentOfFlags({ ...flags, after });
    const { file: files, template } = flags;
    const inputs = await readInputs({ files, template, words, tail, verb: 'submit' });
    if (flags.id !== undefined && inputs.length > 1) {
      throw usageError('--id is for one task', 'Give each task its `id` in the file.');
    }
    const { makeIdSource, prepareTasks } = await import('../input/tasks.ts');
    const drawId = makeIdSource(Date.now());
    if (flags.file !== undefined) {
      const { prepareWorkflow } = await import('../input/workflow.ts');
      const workflow = prepareWorkflow(inputs, fromFlags, drawId);
      if (workflow !== undefined) {
        return this.#workflow(await this.connect(flags), workflow, flags.wait, timeoutMs);
      }
    }
    const prepared = prepareTasks(inputs, fromFlags, drawId, this.flagOf);
    const client = await this.connect(flags);
    const outcome = await this.#send(client, prepared);
    return this.#tell(client, outcome, flags.wait, timeoutMs);
  }

  async #workflow(
    client: Client,
    prepared: PreparedWorkflow,
    wait: boolean,
    timeoutMs: number | undefined,
  ): Promise<unknown> {
    const { submitWorkflow, waitForWorkflow, workflowExit } = await import('../workflow-client.ts');
    const submitted = await submitWorkflow(client, prepared);
    const { id, repeated } = submitted;
    this.printIds([id]);
    this.print(`workflow ${id} ${repeated ? 'accepted before, the same workflow' : 'accepted'}`);
    if (!wait) {
      this.print(`  try: tsched status ${shortId(id)} · tsched wait ${shortId(id)}`);
      return submitted;
    }
    const view = await waitForWorkflow(client, id, timeoutMs);
    const { renderWorkflow } = await import('../output/workflow.ts');
    this.print(renderWorkflow(view, this.screen));
    this.exitWith(workflowExit(view));
    return view;
  }

  async #send(client: Client, tasks: readonly PreparedTask[]): Promise<SubmitOutcome> {
    const { batchFailure, submitMany, submitOne } = await import('../submission.ts');
    const arrays = tasks.some(task => task.array);
    if (tasks.length === 1 || arrays) {
      const submitted: Submitted[] = [];
      for (const task of tasks) {
        try {
          submitted.push(await submitOne(client, task));
        } catch (error) {
          if (submitted.length === 0) throw error;
          return { submitted, failure: this.report(error) };
        }
      }
      return { submitted };
    }
    const { results } = await submitMany(client, tasks);
    const submitted = results.flatMap(result => (result.ok ? [result] : []));
    const failure = batchFailure(results, tasks);
    if (failure !== undefined && submitted.length === 0) throw failure;
    if (failure !== undefined) this.report(failure);
    return { submitted, results, failure };
  }

  async #tell(
    client: Client,
    outcome: SubmitOutcome,
    wait: boolean,
    timeoutMs: number | undefined,
  ): Promise<unknown> {
    const { submitted, results, failure } = outcome;
    const ids = submitted.flatMap(reply => reply.ids ?? [reply.id]);
    this.printIds(ids);
    const { renderSubmitted } = await import('../output/submitted.ts');
    this.print(renderSubmitted(submitted, this.screen, idsShownMax));
    if (failure !== undefined) this.exitWith(failure.exit);
    if (!wait)
      return submitted.length === 1 ? submitted[0] : { ids, results: results ?? submitted };
    const views = await this.#wait(client, ids, timeoutMs);
    return views.length === 1 ? views[0] : { tasks: views };
  }

  async #wait(client: Client, ids: readonly string[], timeoutMs: number | undefined) {
    const [{ waitForTasks }, { renderEnds }, { renderTaskLine }, { waitExit }] = await Promise.all([
      import('../waiting.ts'),
      import('../output/submitted.ts'),
      import('../output/task.ts'),
      import('../output/outcome.ts'),
    ]);
    const one = ids.length === 1;
    const said = new Map<string, string>();
    const views = await waitForTasks(client, ids, {
      timeoutMs,
      pollMs: one ? 1_000 : undefined,
      onView: task => {
        const line = renderTaskLine(task, this.errorScreen);
        if (said.get(task.id) === line) return;
        said.set(task.id, line);
        if (one || task.state === 'failed' || task.state === 'aborted') this.note(`  ${line}`);
      },
    });
    const exit = waitExit(views);
    if (exit === 5) {
      const open = views.find(view => said.has(view.id)) ?? views[0]!;
      this.note(`  the wait timed out; the task goes on: tsched wait ${shortId(open.id)}`);
    }
    if (!one) this.print(`  ${renderEnds(views)}`);
    if (process.exitCode === undefined || process.exitCode === 0) this.exitWith(exit);
    return views;
  }
}

/** The whole IDs behind short ones, asked of a node. */
async function wholeIds(client: Client, texts: readonly string[]): Promise<string[]> {
  const { wholeId } = await import('../waiting.ts');
  return Promise.all(texts.map(text => wholeId(client, text)));
}
