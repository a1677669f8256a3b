/**
 * Runs data-driven files against the core and compares, directive by directive, the records of
 * what is expected with those of what came out, in order (strict mode).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { ConfChangeSuite, QuorumSuite, type Suite } from './arithmetic.ts';
import { type Block, type Directive, parseFile } from './datadriven.ts';
import { Environment } from './environment.ts';
import { type OutputRecord, parseOutput, printLine } from './records.ts';

/** The first difference found in a file. */
export interface Difference {
  readonly line: number;
  readonly command: string;
  /** Position of the differing record in the directive's output, from 1. */
  readonly record: number;
  readonly expected: string;
  readonly actual: string;
}

export interface FileResult {
  readonly directives: number;
  /** Directives whose expectation holds at least one record. */
  readonly withRecords: number;
  readonly records: number;
  readonly difference?: Difference | undefined;
  /** What came out of each directive that ran. */
  readonly outputs: readonly (readonly string[])[];
}

const QUORUM_COMMANDS = ['committed', 'vote'];
const CONF_COMMANDS = ['simple', 'enter-joint', 'leave-joint'];

function suiteFor(blocks: readonly Block[]): Suite {
  const command = blocks.find(block => block.directive !== undefined)?.directive?.command ?? '';
  if (QUORUM_COMMANDS.includes(command)) return new QuorumSuite();
  return CONF_COMMANDS.includes(command) ? new ConfChangeSuite() : new Environment();
}

function firstDifference(
  directive: Directive,
  expected: readonly OutputRecord[],
  actual: readonly OutputRecord[],
): Difference | undefined {
  const count = Math.max(expected.length, actual.length);
  for (let at = 0; at < count; at++) {
    const [want, got] = [expected[at], actual[at]];
    if (isDeepStrictEqual(want, got)) continue;
    return {
      line: directive.line,
      command: directive.command,
      record: at + 1,
      expected: want === undefined ? '(nothing more)' : printLine(want),
      actual: got === undefined ? '(nothing more)' : printLine(got),
    };
  }
  return undefined;
}

function failure(directive: Directive, error: unknown): Difference {
  const actual = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const { line, command } = directive;
  return { line, command, record: 0, expected: '(no error)', actual };
}

/** A file without directives must not pass for having nothing to compare. */
const nothing: Difference = {
  ...{ line: 1, command: '(none)', record: 0 },
  ...{ expected: 'at least one directive', actual: 'none' },
};

/** Runs one file's text; stops at the first difference unless `keepGoing`. */
export function runText(text: string, keepGoing = false): FileResult {
  const blocks = parseFile(text);
  const suite = suiteFor(blocks);
  const outputs: string[][] = [];
  let directives = 0;
  let withRecords = 0;
  let records = 0;
  let difference: Difference | undefined;
  for (const { directive } of blocks) {
    if (directive === undefined) continue;
    try {
      const output = suite.run(directive);
      outputs.push(output);
      const expected = parseOutput(directive.expected);
      const found = firstDifference(directive, expected, parseOutput(output));
      difference ??= found;
      directives++;
      if (expected.length > 0) withRecords++;
      records += expected.length;
    } catch (error) {
      difference ??= failure(directive, error);
      if (keepGoing) throw error;
    }
    if (difference !== undefined && !keepGoing) break;
  }
  difference ??= directives === 0 ? nothing : undefined;
  return { directives, withRecords, records, difference, outputs };
}

/** All `.txt` files below `dir`, sorted by path, relative to it. */
export function listFiles(dir: string): string[] {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true });
  return files
    .filter(file => file.isFile() && file.name.endsWith('.txt'))
    .map(file => relative(dir, join(file.parentPath, file.name)))
    .sort();
}

export function runFile(path: string): FileResult {
  return runText(readFileSync(path, 'utf8'));
}
