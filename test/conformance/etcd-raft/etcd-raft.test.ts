/**
 * The core against etcd-io/raft's test files, in strict mode. The files are not part of the
 * project: they are looked for in `../shared/conformance/etcd-raft`, or where
 * TSCHED_CONFORMANCE_DIR points.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseFile, printFile } from './datadriven.ts';
import { parseLine, parseOutput, printLine } from './records.ts';
import { readExemptions, runFolder, wordDifference } from './report.ts';
import { listFiles, runText } from './runner.ts';

const root = new URL('../../..', import.meta.url).pathname;
const dir = process.env.TSCHED_CONFORMANCE_DIR ?? join(root, '../shared/conformance/etcd-raft');
const present = existsSync(dir);
if (!present) {
  process.stderr.write(
    `\n*** SKIPPED: no conformance files in ${dir} ***\n` +
      '*** set TSCHED_CONFORMANCE_DIR to run the core against etcd-io/raft test files ***\n\n',
  );
}
const files = present ? listFiles(dir) : [];
const read = (path: string) => readFileSync(join(dir, path), 'utf8');

describe.skipIf(!present)('etcd-raft conformance', () => {
  test.each(files)('%s: every directive gives the expected records', path => {
    const result = runText(read(path));
    const reason = readExemptions()[path];
    const difference = result.difference && wordDifference(path, result.difference);
    if (reason === undefined) expect(difference).toBeUndefined();
    else expect(difference, `${path} passes; drop its exemption`).toBeDefined();
  });

  test('the whole folder was compared, not skipped over', () => {
    const report = runFolder(dir);
    const blocks = files.flatMap(path => parseFile(read(path)));
    const directives = blocks.filter(block => block.directive !== undefined).length;
    expect(report.failed).toEqual([]);
    expect(report.directives).toBe(directives);
    if (process.env.TSCHED_CONFORMANCE_DIR !== undefined) return;
    expect(report.files).toHaveLength(33);
    expect(report.directives).toBe(543);
    expect(report.records).toBeGreaterThanOrEqual(3414);
  });

  test('every line that is no log message survives parsing and printing', () => {
    let lines = 0;
    for (const path of files) {
      for (const { directive } of parseFile(read(path))) {
        lines += parseOutput(directive?.expected ?? []).length;
      }
    }
    expect(lines).toBeGreaterThan(0);
  });

  test('a file that is read and written back with its own expectations is the same', () => {
    for (const path of files) {
      const text = read(path);
      const blocks = parseFile(text);
      const expected = blocks.flatMap(({ directive }) => (directive ? [directive.expected] : []));
      expect(printFile(blocks, expected)).toBe(text);
    }
  });

  test('any doctored number in an expected record makes its file fail', () => {
    let doctored = 0;
    for (const path of files) {
      const lines = read(path).split('\n');
      const results = lines.flatMap((line, at) => {
        // One in seven lines that the grammar knows as output and that hold a number.
        if (at % 7 !== 0 || !/^(\s*\d+[->]|\s*\d+\/\d+ Entry|\s+HardState|\d+: State)/.test(line)) {
          return [];
        }
        const changed = line.replace(/\d+(?=\D*$)/, digits => String(Number(digits) + 1));
        const text = [...lines.slice(0, at), changed, ...lines.slice(at + 1)].join('\n');
        return [{ at, failed: runText(text).difference !== undefined }];
      });
      doctored += results.length;
      expect(results.filter(result => !result.failed)).toEqual([]);
    }
    expect(doctored).toBeGreaterThan(files.length);
  });
});

describe('the conformance runner', () => {
  const good = [
    'add-nodes 1 voters=(1) index=3',
    '----',
    'INFO 1 became follower at term 0',
    '',
    'campaign 1',
    '----',
    'ok',
    '',
    'process-ready 1',
    '----',
    'Ready MustSync=true:',
    'Lead:0 State:StateCandidate',
    'HardState Term:1 Vote:1 Commit:3',
    '',
  ];
  const outcome = (lines: readonly string[]) => runText(lines.join('\n')).difference;

  test('passes a transcript that is right', () => {
    expect(outcome(good)).toBeUndefined();
  });

  test('points at the first record that differs', () => {
    const lines = good.with(12, 'HardState Term:1 Vote:1 Commit:4');
    expect(outcome(lines)).toEqual({
      line: 9,
      command: 'process-ready',
      record: 3,
      expected: 'HardState Term:1 Vote:1 Commit:4',
      actual: 'HardState Term:1 Vote:1 Commit:3',
    });
  });

  test('fails on a record too many and on one too few', () => {
    expect(outcome(good.toSpliced(12, 1))?.expected).toBe('(nothing more)');
    expect(outcome(good.toSpliced(12, 0, 'Messages:'))?.expected).toBe('Messages:');
    expect(outcome(good.toSpliced(13, 0, 'Messages:'))?.actual).toBe('(nothing more)');
  });

  test('fails on a line that the grammar does not know, and on an unknown command', () => {
    expect(outcome(good.with(12, 'HardState Term:one'))?.actual).toContain('unknown line');
    expect(outcome(['fly 1', '----', 'ok', ''])?.actual).toContain('unknown command');
  });

  test('fails on a file that holds no directive', () => {
    expect(outcome(['# nothing but words', ''])?.actual).toBe('none');
  });

  test('tells the depth of a line and prints it back', () => {
    const line = '    1->2 MsgApp Term:1 Log:1/4 Commit:4 Entries:[1/5 EntryConfChangeV2 v3 l4]';
    expect(parseLine(line).indent).toBe(4);
    expect(printLine(parseLine(line))).toBe(line);
  });
});
