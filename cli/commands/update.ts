/** `tsched update`: changes what may change of a task after it was submitted. */
import { string } from '@oclif/core/flags';
import { readUpdateDocument } from '../../src/model/spec-update.ts';
import { usageError } from '../cli-error.ts';
import { ControlCommand } from '../control-command.ts';
import { chooseTasks } from '../control-targets.ts';
import { exitCodeText } from '../exit-codes.ts';
import { documentOfFlags, specFlags } from '../input/spec-flags.ts';

export default class Update extends ControlCommand {
  static override summary = 'Change tasks that were submitted.';
  static override description =
    'Priority, tolerance, name, labels, attempts and back-off may change while a task waits, its cap ' +
    'also while it runs: one that is shorter than what an attempt has run ends it. What was ' +
    'submitted stays as it was; `tsched status` tells what stands in its place.\n\n' +
    'A new tolerance counts from where the old one did (the submit, the time before which the task ' +
    'was not to start, the end of what held it), so its start bound and its class are those of a ' +
    'task that was submitted with it. One that lies in the past is missed at once. Of a gang all ' +
    'tasks are changed with the one that is named, or none.\n\n' +
    exitCodeText([0, 1, 2, 6, 8]);
  static override usage = 'update ID... [flags]';
  static override examples = [
    '<%= config.bin %> update 8f3a1c2e --cap 2h',
    '<%= config.bin %> update 8f3a1c2e --cap none',
    '<%= config.bin %> update 8f3a1c2e --priority high --tolerance 10m',
    '<%= config.bin %> update 8f3a1c2e 77b09d41 --attempts 5 --backoff 30s',
  ];
  static override strict = false;
  static override flags = {
    priority: specFlags.priority,
    tolerance: specFlags.tolerance,
    name: specFlags.name,
    label: specFlags.label,
    attempts: specFlags.attempts,
    backoff: specFlags.backoff,
    cap: string({
      description: 'longest time of one attempt: 10m, or none',
      helpValue: 'DURATION',
    }),
  };

  override async run(): Promise<unknown> {
    const { argv, flags } = await this.parse(Update);
    const targets = chooseTasks(argv as string[], 'update');
    const { priority, tolerance, name, label, attempts, backoff, cap } = flags;
    const told = { priority, tolerance, name, label, attempts, backoff, cap };
    const changes = documentOfFlags(told);
    if (Object.keys(changes).length === 0) {
      throw usageError(
        'there is nothing to change',
        'Give --cap, --priority, --tolerance, --attempts, --backoff, --label or --name.',
      );
    }
    const reading = readUpdateDocument(changes);
    if (!reading.ok) {
      const { placed, placingOf, refusalOf } = await import('../input/places.ts');
      throw refusalOf(placed(reading.problems, placingOf({ value: {} }, changes)));
    }
    const client = await this.connect(flags);
    return this.controlAll(client, 'update', targets, changes);
  }
}
