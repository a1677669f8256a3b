/** `tsched chaos run`: breaks a cluster of real nodes under load, and says what held. */

import { resolve } from 'node:path';
import { Args } from '@oclif/core';
import { boolean, string } from '@oclif/core/flags';
import { BaseCommand } from '../../base-command.ts';
import {
  type AttachPlan,
  type ChaosReport,
  loadChaosProgram,
  type RunNews,
} from '../../chaos-program.ts';
import { usageError } from '../../cli-error.ts';
import { exitCodeText } from '../../exit-codes.ts';
import { findScenario, parseScenario } from '../../input/scenario-file.ts';
import { readCount, readDuration } from '../../input/values.ts';
import { oclifOptions } from '../../main.ts';
import { configDirOf, resolveTarget } from '../../profile.ts';

const consent = 'i-understand-that-this-cluster-will-be-broken';
const restarters = ['self', 'manager'] as const;
const exitOf = { green: 0, red: 1, skipped: 9 } as const;

export default class ChaosRun extends BaseCommand {
  static override summary = 'Break a cluster of real nodes under load, and tell what held.';
  static override description =
    'It starts a cluster of its own on this machine and leaves nothing behind, also after Ctrl-C. ' +
    'Random choices come from --seed. What this machine cannot do is told, and such a scenario is ' +
    'skipped, never green. Some faults need root: networks, full disks.\n\n' +
    'With --attach it breaks a cluster that runs already, whose nodes and shards then stand for ' +
    'those of the scenario. Without the flag that says that this is meant it only prints what it ' +
    'would do to which processes, and exits with 2. Every node that ran runs again afterwards, ' +
    'also after Ctrl-C.\n\n' +
    `${exitCodeText([0, 1, 2, 9])} 1 also where a promise was broken.`;
  static override usage = 'chaos run SCENARIO [flags]';
  static override examples = [
    '<%= config.bin %> chaos run leader-kill',
    '<%= config.bin %> chaos run mine.yaml --seed 42 --report ./report',
    '<%= config.bin %> chaos run random --duration 10m --nodes 5',
    '<%= config.bin %> chaos run leader-kill --attach data/a --attach data/b --attach data/c',
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
    attach: string({
      description:
        'break a cluster that runs: the data directory of a node on this machine, or the address ' +
        'of one that nothing is to be done to; repeated for every node of the cluster',
      helpValue: 'DIR|http://HOST:PORT',
      multiple: true,
      multipleNonGreedy: true,
    }),
    [consent]: boolean({ description: 'carry it out on the cluster of --attach' }),
    restart: string({
      description:
        'who starts a node of --attach again: self, which is this command, or manager, which is ' +
        'waited for; manager unless given where the node belongs to a systemd service',
      helpValue: 'self|manager',
    }),
    duration: string({
      description: 'length of the work and of random faults, in place of what the scenario says',
      helpValue: 'DURATION',
    }),
  };

  override async run(): Promise<ChaosReport | PlanResult> {
    const { args, flags } = await this.parse(ChaosRun);
    this.begin(flags);
    const seed = readCount('seed', flags.seed, { min: 0, max: 999_999_999 }) ?? 1;
    const program = await loadChaosProgram();
    const { text, file } = await findScenario(program, args.scenario);
    const attached = await attach(program, flags);
    const scenario = parseScenario(program, text, file, {
      attached,
      nodes: readCount('nodes', flags.nodes, { min: 1, max: 9 }),
      durationMs: readDuration('duration', flags.duration),
    });
    if (attached !== undefined && flags[consent] !== true) {
      return this.#tell(await program.planAttack(attached, scenario, seed));
    }
    const reportDir = flags.report === undefined ? undefined : resolve(flags.report);
    return this.#carryOut(program, { scenario, seed, attached, reportDir });
  }

  /** Nothing is done; and it is not green. */
  async #tell(plan: AttachPlan): Promise<PlanResult> {
    const { renderAttachPlan } = await import('../../output/chaos.ts');
    this.print(renderAttachPlan(plan, this.screen));
    this.print(`\nnothing was done; to carry it out: --${consent}`);
    this.exitWith(2);
    return { ...plan, carriedOut: false };
  }

  async #carryOut(program: Program, what: What): Promise<ChaosReport> {
    const { reportDir, attached } = what;
    const { LiveLine, renderReport } = await import('../../output/chaos.ts');
    const live = new LiveLine(process.stderr, this.errorScreen);
    const interruption = interruptible(
      attached === undefined ? 'everything that was started' : 'every fault',
    );
    let report: ChaosReport;
    try {
      report = await program.runChaos({
        ...{ ...what, signal: interruption.signal },
        version: oclifOptions().pjson?.version ?? 'unknown',
        program: { command: process.execPath, args: [...process.execArgv, process.argv[1]!] },
        onNews: (news: RunNews) => {
          if (!this.quiet) live.show(news);
        },
      });
    } catch (error) {
      live.clear();
      if (!interruption.signal.aborted) throw error;
      this.note(
        attached === undefined
          ? 'interrupted; everything that was started is gone'
          : 'interrupted; the cluster was left as said above',
      );
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

type Program = Awaited<ReturnType<typeof loadChaosProgram>>;
type Attached = Awaited<ReturnType<Program['attachTo']>>;
type PlanResult = AttachPlan & { readonly carriedOut: false };

interface What {
  readonly scenario: ReturnType<typeof parseScenario>;
  readonly seed: number;
  readonly attached: Attached | undefined;
  readonly reportDir: string | undefined;
}

interface AttachFlags {
  readonly attach?: readonly string[] | undefined;
  readonly nodes?: string | undefined;
  readonly restart?: string | undefined;
  readonly 'token-file'?: string | undefined;
  readonly [consent]?: boolean | undefined;
}

/** The cluster that is meant by the flags, looked at; `undefined` for one of the run's own. */
async function attach(program: Program, flags: AttachFlags): Promise<Attached | undefined> {
  const { attach: targets, nodes, restart, 'token-file': tokenFile } = flags;
  if (targets === undefined) {
    if (restart !== undefined || flags[consent] === true) {
      throw usageError('there is no cluster to break: --attach is missing');
    }
    return undefined;
  }
  if (nodes !== undefined) throw usageError('--nodes: a cluster of --attach has the nodes it has');
  const restarter = restarters.find(known => known === restart);
  if (restart !== undefined && restarter === undefined) {
    throw usageError(`--restart ${restart} is not one of ${restarters.join(', ')}`);
  }
  const configDir = configDirOf(process.env);
  try {
    return await program.attachTo({
      ...{ targets, restarter, tokenGiven: tokenFile !== undefined },
      token: () => resolveTarget({ addr: undefined, tokenFile, configDir, env: process.env }).token,
    });
  } catch (error) {
    if (!(error instanceof program.AttachRefusal)) throw error;
    throw usageError(error.message, error.suggestion);
  }
}

/** Ctrl-C and SIGTERM end the run in order; whoever asks again need not ask a third time. */
function interruptible(what: string) {
  const ending = new AbortController();
  let code = 130;
  const onSignal = (name: NodeJS.Signals): void => {
    code = name === 'SIGINT' ? 130 : 143;
    if (!ending.signal.aborted) process.stderr.write(`\nending ${what}\n`);
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
