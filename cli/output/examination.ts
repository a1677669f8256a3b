/** What `tsched doctor` prints. */
import { formatSize } from '../../src/model/resources.ts';
import type { Examination } from '../node-program.ts';
import { paint, type Screen } from './screen.ts';
import { block, oneLine, plural } from './text.ts';

const verdicts: Record<
  Examination['verdict'],
  readonly [style: 'green' | 'yellow' | 'red', string]
> = {
  healthy: ['green', 'healthy'],
  warning: ['yellow', 'usable, with warnings'],
  running: ['yellow', 'in use: the store was not looked at'],
  unusable: ['red', 'UNUSABLE'],
  damaged: ['red', 'DAMAGED'],
};

const marks = { error: '✗', warning: '!', note: '·' } as const;

export function renderExamination(found: Examination, screen: Screen): string {
  const [style, word] = verdicts[found.verdict];
  const lines = [`${paint(screen, 'bold', oneLine(found.dataDir))}  ${paint(screen, style, word)}`];
  const sum = (count: (group: Examination['groups'][number]) => number): number =>
    found.groups.reduce((total, group) => total + count(group), 0);
  const facts: [string, string][] = [
    ['program', found.program],
    ['node', found.node ?? 'not known'],
    ['sizes', `store ${formatSize(found.storeBytes)}, attempts ${formatSize(found.attemptsBytes)}`],
    ['disk', `${formatSize(found.freeBytes)} of ${formatSize(found.totalBytes)} free`],
  ];
  if (found.cluster !== undefined) {
    facts.push(['cluster', found.cluster], ['store', `${found.store}, start ${found.starts}`]);
    const entries = sum(group => group.lastIndex - group.firstIndex + 1);
    facts.push([
      'holds',
      `${plural(found.groups.length, 'group')}, ${entries} log entries, ` +
        `${sum(group => group.rows)} rows, ${found.batches} batches written`,
    ]);
  }
  for (const [name, value] of facts) {
    lines.push(`  ${paint(screen, 'dim', name.padEnd(7))}  ${value}`);
  }
  if (found.findings.length > 0) lines.push('');
  for (const { level, what, remedy } of found.findings) {
    lines.push(`${marks[level]} ${block(what, screen)}`);
    if (remedy !== undefined)
      lines.push(`    ${paint(screen, 'cyan', 'try:')} ${block(remedy, screen)}`);
  }
  return lines.join('\n');
}
