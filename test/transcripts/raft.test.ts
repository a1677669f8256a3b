/**
 * Transcripts of our own, in the format of etcd-io/raft's, for what its files do not have: numbered
 * reads, batches, production's refusals, receipts. After a change of behaviour, look at what
 * `npm run conformance -- --dir test/transcripts/raft --rewrite` makes of them, line by line.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseFile } from '../conformance/etcd-raft/datadriven.ts';
import { wordDifference } from '../conformance/etcd-raft/report.ts';
import { listFiles, runText } from '../conformance/etcd-raft/runner.ts';

const dir = new URL('./raft', import.meta.url).pathname;

describe('raft transcripts', () => {
  const files = listFiles(dir);

  test('are all there', () => {
    expect(files).toHaveLength(8);
  });

  test.each(files)('%s', path => {
    const text = readFileSync(join(dir, path), 'utf8');
    const result = runText(text);
    expect(result.difference && wordDifference(path, result.difference)).toBeUndefined();
    const directives = parseFile(text).filter(block => block.directive !== undefined);
    expect(result.directives).toBe(directives.length);
    expect(result.records).toBeGreaterThan(10);
  });
});
