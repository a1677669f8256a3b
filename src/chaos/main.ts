/**
 * The room's only door: scenarios that ship with the program, reading one, running one. A run takes
 * a scenario and gives a report, and writes it as JSON and as a page where it is told to.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Attached } from './attach.ts';
import { renderPage } from './page.ts';
import { type Report, reportRun, reportSkipped } from './report.ts';
import { type RunOptions, runScenario } from './run.ts';
import { readScenario, type ScenarioReading } from './scenario-reading.ts';

export { AttachRefusal, attachTo } from './attach.ts';
export { planAttack } from './attach-plan.ts';

const scenarioDir = fileURLToPath(new URL('./scenarios/', import.meta.url));

export interface ScenarioText {
  readonly name: string;
  /** YAML, comments and all: a person may start from it. */
  readonly text: string;
}

/** Every scenario that ships with the program, by name. */
export async function shippedScenarios(): Promise<ScenarioText[]> {
  const files = (await readdir(scenarioDir)).filter(file => file.endsWith('.yaml')).sort();
  return Promise.all(
    files.map(async file => ({
      name: file.slice(0, -'.yaml'.length),
      text: await readFile(join(scenarioDir, file), 'utf8'),
    })),
  );
}

export interface Overrides {
  readonly nodes?: number | undefined;
  /** Length of the work, and of random faults. */
  readonly durationMs?: number | undefined;
  /** The cluster that the scenario is for, in place of its own. */
  readonly attached?: Attached | undefined;
}

/** Reads a parsed document, as it is or with what the command line says instead. */
export function readDocument(value: unknown, overrides: Overrides = {}): ScenarioReading {
  const { nodes, durationMs, attached } = overrides;
  const given =
    attached === undefined ? undefined : { nodes: attached.nodes.length, shards: attached.shards };
  const reading = readScenario(value, given);
  if (!reading.ok) return reading;
  if (nodes === undefined && durationMs === undefined) return reading;
  // Read again, so that a target that is not there any more is told.
  const document = { ...(value as Record<string, unknown>) };
  const part = (name: string) => (document[name] ?? {}) as Record<string, unknown>;
  if (nodes !== undefined) document['cluster'] = { ...part('cluster'), nodes };
  if (durationMs !== undefined) {
    const seconds = durationMs / 1_000;
    document['workload'] = { ...part('workload'), for: seconds };
    if (document['random'] !== undefined) {
      document['random'] = { ...part('random'), until: seconds };
    }
  }
  return readScenario(document, given);
}

export interface ChaosOptions extends RunOptions {
  readonly version: string;
  /** Where `report.json` and `report.html` go; nowhere unless given. */
  readonly reportDir?: string | undefined;
}

/** Runs a scenario to its verdict. Rejects with `Interrupted` where the signal says so. */
export async function runChaos(options: ChaosOptions): Promise<Report> {
  const { scenario, seed, version, reportDir } = options;
  const input = { scenario, seed, version, startedAt: new Date().toISOString() };
  const result = await runScenario(options);
  const report =
    result.verdict === 'skipped'
      ? reportSkipped(input, result.lacks)
      : reportRun(input, result.history, result.checks);
  if (reportDir !== undefined) {
    await mkdir(reportDir, { recursive: true });
    await writeFile(join(reportDir, 'report.json'), `${JSON.stringify(report, undefined, 2)}\n`);
    await writeFile(join(reportDir, 'report.html'), renderPage(report));
  }
  return report;
}
