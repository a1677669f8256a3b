/** Runs a folder and words the result, for the terminal and for the test alike. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseFile, printFile } from './datadriven.ts';
import { type Difference, type FileResult, listFiles, runFile, runText } from './runner.ts';

export interface FolderReport {
  readonly files: readonly { readonly path: string; readonly result: FileResult }[];
  readonly failed: readonly string[];
  /** Files that differ and are listed in `exemptions.json`, with the reason. */
  readonly exempted: readonly string[];
  readonly directives: number;
  readonly records: number;
}

/** Reasons by file path. A listed file that passes is an error: the exemption is out of date. */
export function readExemptions(): Record<string, string> {
  const text = readFileSync(new URL('./exemptions.json', import.meta.url), 'utf8');
  return JSON.parse(text) as Record<string, string>;
}

/** Runs every `.txt` file below `dir`. */
export function runFolder(dir: string, exemptions = readExemptions()): FolderReport {
  const files = listFiles(dir).map(path => ({ path, result: runFile(join(dir, path)) }));
  const differing = files.filter(({ result }) => result.difference !== undefined);
  const isExempt = ({ path }: { path: string }) => exemptions[path] !== undefined;
  const stale = files.filter(file => file.result.difference === undefined && isExempt(file));
  const sum = (pick: (result: FileResult) => number) =>
    files.reduce((total, { result }) => total + pick(result), 0);
  return {
    files,
    failed: [...differing.filter(file => !isExempt(file)), ...stale].map(({ path }) => path),
    exempted: differing.filter(isExempt).map(({ path }) => path),
    directives: sum(result => result.directives),
    records: sum(result => result.records),
  };
}

export function wordDifference(path: string, difference: Difference): string {
  const { line, command, record, expected, actual } = difference;
  return [
    `${path}:${line}: ${command}, record ${record}`,
    `  expected: ${expected}`,
    `  actual:   ${actual}`,
  ].join('\n');
}

/** The report as text: a line per file, the first difference of each failure, a summary. */
export function wordReport(report: FolderReport): string {
  const lines: string[] = [];
  for (const { path, result } of report.files) {
    const { difference, directives, records } = result;
    const exempt = report.exempted.includes(path) ? ' (exempted)' : '';
    const verdict = difference === undefined ? 'pass' : `FAIL${exempt}`;
    lines.push(`${verdict} ${path}: ${directives} directives, ${records} records`);
    if (difference !== undefined) lines.push(wordDifference(path, difference));
  }
  const passed = report.files.length - report.failed.length - report.exempted.length;
  lines.push(
    `${report.directives} directives and ${report.records} records compared, ` +
      `${report.exempted.length} files exempted`,
    `${passed} passed, ${report.failed.length} failed`,
  );
  return lines.join('\n');
}

/** Replaces what a file expects by what comes out. For our own transcripts, to be read after. */
export function rewriteFile(path: string): void {
  const text = readFileSync(path, 'utf8');
  const { outputs } = runText(text, true);
  writeFileSync(path, printFile(parseFile(text), outputs));
}
