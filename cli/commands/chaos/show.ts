/** `tsched chaos show`: a scenario as it is written, to begin from. */
import { Args } from '@oclif/core';
import { BaseCommand } from '../../base-command.ts';
import { loadChaosProgram } from '../../chaos-program.ts';
import { exitCodeText } from '../../exit-codes.ts';
import { findScenario, parseScenario } from '../../input/scenario-file.ts';

export default class ChaosShow extends BaseCommand {
  static override summary = 'Print a scenario, to read it or to begin one of your own from it.';
  static override description =
    'Its `cluster` means nothing where it is run on a cluster that runs (`chaos run --attach`). ' +
    'With --json it is printed as the engine understands it, with what it left out filled in.\n\n' +
    exitCodeText([0, 1, 2]);
  static override usage = 'chaos show NAME [flags]';
  static override examples = ['<%= config.bin %> chaos show leader-kill > mine.yaml'];
  static override args = {
    name: Args.string({ description: 'name of a scenario, or a file', required: true }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ChaosShow);
    this.begin(flags);
    const program = await loadChaosProgram();
    const { text, file } = await findScenario(program, args.name);
    const scenario = parseScenario(program, text, file);
    this.print(text.trimEnd());
    this.printIds([scenario.name]);
    return scenario;
  }
}
