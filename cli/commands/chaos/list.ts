/** `tsched chaos list`: the scenarios that ship with the program. */
import { BaseCommand } from '../../base-command.ts';
import { loadChaosProgram } from '../../chaos-program.ts';
import { exitCodeText } from '../../exit-codes.ts';
import { parseScenario } from '../../input/scenario-file.ts';

export default class ChaosList extends BaseCommand {
  static override summary = 'List the scenarios that ship with the program.';
  static override description =
    'Each makes a cluster of its own; those that break processes can also be run on a cluster that ' +
    `runs: see --attach of \`chaos run\`.\n\n${exitCodeText([0, 1, 2])}`;
  static override usage = 'chaos list [flags]';
  static override examples = ['<%= config.bin %> chaos list'];

  override async run(): Promise<unknown> {
    const { flags } = await this.parse(ChaosList);
    this.begin(flags);
    const program = await loadChaosProgram();
    const shipped = await program.shippedScenarios();
    const scenarios = shipped.map(({ name, text }) => parseScenario(program, text, `${name}.yaml`));
    const { renderScenarios } = await import('../../output/chaos.ts');
    this.print(renderScenarios(scenarios, this.screen));
    this.printIds(scenarios.map(scenario => scenario.name));
    return {
      scenarios: scenarios.map(({ name, about, nodes, workMs }) => ({
        ...{ name, about, nodes, workMs },
      })),
    };
  }
}
