/** `tsched chaos run`: breaks a cluster of real nodes under load, and says what held. */

import { resolve } from 'node:path';
import { Args } from '@oclif/core';
import { string } from '@oclif/core/flags';
import { BaseCommand } from '../../base-command.ts';
import { type ChaosReport, loadChaosProgram, type RunNews } from '../../chaos-program.ts';
import { exitCodeText } from '../../exit-codes.ts';
import { findScenario, parseScenario } from '../../input/scenario-file.ts';
import { readCount, readDuration } from '../../input/values.ts';
import { oclifOptions } from '../../main.ts';

const exitOf = { green: 0, red: 1, skipped: 9 } as const;

export default class ChaosRun extends BaseCommand {
  static override summary = 'Break a cluster of real nodes under load, and tell what held.';
  static override description =
    'It starts a cluster of its own on this machine, never touches another one, and leaves nothing ' +
    'behind, also after Ctrl-C. Random choices come from --seed. What this machine cannot do is ' +
    'told, and such a scenario is skipped, never green. Some faults need root: networks, full ' +
    'disks.\n\n' +
    `${exitCodeText([0, 1, 2, 9])} 1 also where a promise was broken.`;
  static override usage = 'chaos run SCENARIO [flags]';
  static override examples = [
    '<%= config.bin %> chaos run leader-kill',
    '<%= config.bin %> chaos run mine.yaml --seed 42 --report ./report',
    '<%= config.bin %> chaos run random --duration 10m --nodes 5',
  ];
  static override args = {
    scenario: Args.string({ description: 'name of a scenario, or a YAML file', required: true }),
  };
  static override flags = {
    seed: string({ description: 'of everything that is drawn; 1 unless given', helpValue: 'N' }),
    report: string({
      description: 'directory for report.json and report.html, which is made',
      helpValue: 'DIR',
    }),
    nodes: string({ description: 'nodes, in place of what the scenario says', helpValue: 'N' }),
    duration: string({
      description: 'length of the work and of random faults, in place of what the scenario says',
      helpValue: 'DURATION',
    }),
  };

  override async run(): Promise<ChaosReport> {
    const { args, flags } = await this.parse(ChaosRun);
    this.begin(flags);
    const seed = readCount('seed', flags.seed, { min: 0, max: 999_999_999 }) ?? 1;
    const overrides = {
      nodes: readCount('nodes', flags.nodes, { min: 1, max: 9 }),
      durationMs: readDuration('duration', flags.duration),
    };
    const program = await loadChaosProgram();
    const { text, file } = await findScenario(program, args.scenario);
    const scenario = parseScenario(program, text, file, overrides);
    const reportDir = flags.report === undefined ? undefined : resolve(flags.report);
    const { LiveLine, renderReport } = await import('../../output/chaos.ts');
    const live = new LiveLine(process.stderr, this.errorScreen);
    const interruption = interruptible();
    let report: ChaosReport;
    try {
      report = await program.runChaos({
        ...{ scenario, seed, reportDir, signal: interruption.signal },
        version: oclifOptions().pjson?.version ?? 'unknown',
        program: { command: process.execPath, args: [...process.execArgv, process.argv[1]!] },
        onNews: (news: RunNews) => {
          if (!this.quiet) live.show(news);
        },
      });
    } catch (error) {
      live.clear();
      if (!interruption.signal.aborted) throw error;
      this.note('interrupted; everything that was started is gone');
      process.exit(interruption.exitCode());
    } finally {
      interruption.end();
    }
    live.clear();
    this.print(renderReport(report, this.screen));
    if (reportDir !== undefined) this.note(`report    ${reportDir}/report.html`);
    this.printIds([report.verdict]);
    this.exitWith(exitOf[report.verdict]);
    return report;
  }
}

/** Ctrl-C and SIGTERM end the run in order; whoever asks again need not ask a third time. */
function interruptible() {
  const ending = new AbortController();
  let code = 130;
  const onSignal = (name: NodeJS.Signals): void => {
    code = name === 'SIGINT' ? 130 : 143;
    if (!ending.signal.aborted) process.stderr.write('\nending everything that was started\n');
    ending.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    signal: ending.signal,
    exitCode: () => code,
    end: () => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}
