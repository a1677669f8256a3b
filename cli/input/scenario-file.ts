/**
 * A scenario for `tsched chaos`: the name of one that ships with the program, or a file. Whatever
 * is wrong with it is told with line and column.
 */
import { existsSync } from 'node:fs';
import { closestName } from '../../src/model/spec-fields.ts';
import type { loadChaosProgram } from '../chaos-program.ts';
import { CliError, usageError } from '../cli-error.ts';
import { readTaskText } from './read-input.ts';
import { readTaskFile } from './task-file.ts';

type Program = Awaited<ReturnType<typeof loadChaosProgram>>;
type Reading = ReturnType<Program['readDocument']>;
type Overrides = Parameters<Program['readDocument']>[1];
type ReadScenario = Extract<Reading, { ok: true }>['scenario'];

/** Text of the scenario, and what to call it in messages. */
export async function findScenario(
  program: Program,
  wanted: string,
): Promise<{ readonly text: string; readonly file: string }> {
  const shipped = await program.shippedScenarios();
  const found = shipped.find(one => one.name === wanted);
  if (found !== undefined) return { text: found.text, file: `${wanted}.yaml` };
  if (existsSync(wanted)) return { text: await readTaskText(wanted), file: wanted };
  const names = shipped.map(one => one.name);
  const close = closestName(wanted, names);
  throw usageError(
    `there is no scenario and no file \`${wanted}\``,
    close === undefined ? '`tsched chaos list` shows the scenarios.' : `tsched chaos run ${close}`,
  );
}

/** Reads it; throws `badYaml` or `badSpec` with every problem and its place. */
export function parseScenario(
  program: Program,
  text: string,
  file: string,
  overrides: Overrides = {},
): ReadScenario {
  const sources = readTaskFile(text, file);
  const [source] = sources;
  if (source === undefined || sources.length > 1) {
    throw new CliError('badSpec', `${file} must hold one scenario, not ${sources.length}`, {
      title: 'Not a scenario',
      suggestion: 'Begin with one that works: tsched chaos show leader-kill',
    });
  }
  const reading = program.readDocument(source.value, overrides);
  if (reading.ok) return reading.scenario;
  const problems = reading.problems.map(({ pointer, message }) => {
    const part = message.startsWith('unknown field') ? 'key' : 'value';
    return { ...source.locate(pointer, part), pointer, message };
  });
  throw new CliError('badSpec', `${problems.length} in ${file}`, {
    title: problems.length === 1 ? 'A problem in the scenario' : 'Problems in the scenario',
    problems,
    suggestion:
      '`tsched chaos show NAME` prints one that works; docs/guides/chaos.md has the fields.',
  });
}
