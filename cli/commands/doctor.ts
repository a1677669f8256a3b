/** `tsched doctor`: looks at the data directory of a node that does not run. */
import { resolve } from 'node:path';
import { boolean, string } from '@oclif/core/flags';
import { BaseCommand } from '../base-command.ts';
import { exitCodeText } from '../exit-codes.ts';
import type { Examination } from '../node-program.ts';

const exits: Record<Examination['verdict'], number> = {
  healthy: 0,
  warning: 1,
  running: 1,
  unusable: 1,
  damaged: 74,
};

export default class Doctor extends BaseCommand {
  static override summary = 'Look at the data directory of a node that does not run.';
  static override description =
    'Reads everything and changes nothing: keys and permissions, room, clock, the write-ahead log, ' +
    'what a start would check, and the checksum of every row. It says what is wrong and what can be ' +
    'done about it. A node that runs has its store looked at once it is stopped.\n\n' +
    'The bundle holds that, versions, names and sizes of files, figures of the node if it runs, and ' +
    'the logs that are given; no keys, tokens, task documents or outputs.\n\n' +
    `${exitCodeText([0, 1, 2, 74])} 1 also for warnings, and where a node runs.`;
  static override usage = 'doctor --data-dir DIR [flags]';
  static override examples = [
    '<%= config.bin %> doctor --data-dir /var/lib/tsched',
    '<%= config.bin %> doctor --data-dir ./a --bundle help.tar.gz --log ./a.log',
    '<%= config.bin %> doctor --data-dir ./a --quarantine',
  ];
  static override flags = {
    'data-dir': string({ description: 'directory of a node', required: true, helpValue: 'DIR' }),
    bundle: string({ description: 'write a support bundle there', helpValue: 'FILE.tar.gz' }),
    log: string({
      description: 'log of the node whose end goes into the bundle; repeatable',
      helpValue: 'FILE',
      multiple: true,
      multipleNonGreedy: true,
      dependsOn: ['bundle'],
    }),
    quarantine: boolean({
      description: 'put a damaged store aside, so that it can be rebuilt from the other nodes',
    }),
    'free-ballast': boolean({ description: 'give up the ballast first, to have room' }),
  };

  override async run(): Promise<unknown> {
    const { flags } = await this.parse(Doctor);
    this.begin(flags);
    const dataDir = resolve(flags['data-dir']);
    const { loadNodeProgram } = await import('../node-program.ts');
    const program = await loadNodeProgram();
    if (flags['free-ballast']) {
      const freed = await program.freeBallast(dataDir);
      this.note(freed > 0 ? `gave up the ballast: ${freed} bytes` : 'there was no ballast');
    }
    const found = await program.examine(dataDir);
    const { renderExamination } = await import('../output/examination.ts');
    this.print(renderExamination(found, this.screen));
    if (flags.bundle !== undefined) {
      const path = resolve(flags.bundle);
      const logs = (flags.log ?? []).map(log => resolve(log));
      const names = await program.writeSupportBundle(path, found, logs);
      this.note(`wrote ${path}: ${names.join(', ')}`);
    }
    this.exitWith(exits[found.verdict]);
    if (!flags.quarantine) return found;
    const aside = await program.quarantine(found, Date.now());
    this.exitWith(0);
    this.print(
      `\nThe store is in ${aside} now. To have it rebuilt from the other nodes:\n` +
        '  tsched cluster token --data-dir DIR   on the node that made the cluster\n' +
        `  tsched node start --data-dir ${dataDir} --join TOKEN`,
    );
    return { ...found, quarantine: aside };
  }
}
