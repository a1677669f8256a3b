/**
 * Writes `docs/reference/cli.md` from the commands themselves: `reference` writes it, `reference
 * --check` only says whether it is what the commands say. A test holds the file to this.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type IndexedCommand, type IndexedFlag, readCommands } from '../cli/command-index.ts';
import { exitCodes } from '../cli/exit-codes.ts';

export const referencePath = fileURLToPath(new URL('../docs/reference/cli.md', import.meta.url));

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function flagRow(flag: IndexedFlag): string {
  const long = flag.negatable ? `--[no-]${flag.name}` : `--${flag.name}`;
  const value = flag.takesValue ? ` ${flag.value}` : '';
  const name = `${flag.char === undefined ? '' : `-${flag.char}, `}${long}${value}`;
  const notes = [
    ...(flag.required ? ['required'] : []),
    ...(flag.default === undefined ? [] : [`default \`${flag.default}\``]),
    ...(flag.env === undefined ? [] : [`environment \`${flag.env}\``]),
  ];
  const more = notes.length === 0 ? '' : ` (${notes.join(', ')})`;
  return `| \`${cell(name)}\` | ${cell(flag.description)}${more} |`;
}

const flagTable = (flags: readonly IndexedFlag[]): string[] => [
  '| Flag | Meaning |',
  '| --- | --- |',
  ...flags.map(flagRow),
];

function commandSection(command: IndexedCommand): string {
  const lines = [`## tsched ${command.words}`, '', command.summary, '', '```'];
  lines.push(...command.usage.map(usage => `tsched ${usage}`), '```');
  if (command.description !== '') lines.push('', command.description);
  if (command.args.length > 0) {
    lines.push('', '| Argument | Meaning |', '| --- | --- |');
    for (const arg of command.args) {
      const name = arg.required ? arg.name.toUpperCase() : `[${arg.name.toUpperCase()}]`;
      lines.push(`| \`${name}\` | ${cell(arg.description)} |`);
    }
  }
  const own = command.flags.filter(flag => !flag.global);
  if (own.length > 0) lines.push('', ...flagTable(own));
  if (command.examples.length > 0) {
    lines.push('', 'Examples:', '', '```', ...command.examples, '```');
  }
  return lines.join('\n');
}

const anchor = (words: string): string => `tsched-${words.replaceAll(' ', '-')}`;

/** The whole page. */
export function renderReference(commands: readonly IndexedCommand[]): string {
  const shared = commands[0]?.flags.filter(flag => flag.global) ?? [];
  const sections = [
    '# The command line',
    'Made from the commands by `scripts/reference.ts`; do not edit it by hand.',
    commands
      .map(({ words, summary }) => `- [\`tsched ${words}\`](#${anchor(words)}): ${summary}`)
      .join('\n'),
    '## What all commands share',
    flagTable(shared).join('\n'),
    'The nodes to talk to are those of `--addr`, else of `TSCHED_ADDR`, else of the profile, else ' +
      '`127.0.0.1:7070`. The token is that of `--token-file`, else of `TSCHED_TOKEN`, else of the ' +
      'profile. The profile is `~/.config/tsched/profile.json`; `cluster init` and `dev` write it. ' +
      'A request that fails is repeated for about four seconds, at the other nodes first.',
    'A task is named by its whole ID, by the last characters of it (at least 4), or by `last`, the ' +
      'newest task. Durations are written `90s`, `10m`, `1h30m`; a bare number is seconds. Sizes are ' +
      'written `512MiB`, `4GiB`, `100MB`.',
    'Results go to standard output; errors, warnings and progress go to standard error, an error as ' +
      '`error: what — cause` and `try: what to do`. With `--json` an error is ' +
      '`{"error": {"code", "message", "suggestion", "exit"}}` on standard output; the codes are in ' +
      '[errors.md](errors.md).',
    '### Exit codes',
    [
      '| Code | Meaning |',
      '| --- | --- |',
      ...Object.entries(exitCodes).map(([code, meaning]) => `| ${code} | ${meaning} |`),
    ].join('\n'),
    'Of several tasks that are waited for, the first of 5, 3 and 4 that applies.',
    ...commands.map(commandSection),
  ];
  return `${sections.join('\n\n')}\n`;
}

/** Exit code: 1 where `--check` finds a difference. */
export async function main(argv: readonly string[]): Promise<number> {
  const page = renderReference(await readCommands());
  if (!argv.includes('--check')) {
    writeFileSync(referencePath, page);
    return 0;
  }
  if (readFileSync(referencePath, 'utf8') === page) return 0;
  process.stderr.write('docs/reference/cli.md is out of date: node scripts/reference.ts\n');
  return 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.exitCode = await main(process.argv.slice(2));
}
