/** What went wrong before a command could run: mostly a command that does not exist. */

import type { Interfaces } from '@oclif/core';
import { Config } from '@oclif/core/config';
import { closestName } from '../src/model/spec-fields.ts';
import { CliError, toCliError } from './cli-error.ts';
import { renderFailure, toFailureJson } from './output/failure.ts';
import { makeScreen } from './output/screen.ts';

async function unknownCommand(
  words: readonly string[],
  options: Interfaces.Options,
): Promise<CliError> {
  const config = await Config.load(options);
  const ids = config.commands
    .filter(command => !command.hidden)
    .map(command => command.id.replaceAll(':', ' '));
  const firsts = ids.map(id => id.split(' ')[0]!);
  const wanted = words.slice(0, 2).join(' ');
  const close = closestName(wanted, ids) ?? closestName(words[0] ?? '', [...new Set(firsts)]);
  return new CliError('badRequest', `there is no command \`${wanted}\``, {
    title: 'Unknown command',
    suggestion:
      close === undefined
        ? '`tsched --help` lists the commands'
        : `did you mean \`tsched ${close}\`? \`tsched --help\` lists the commands`,
  });
}

/** Prints an error that oclif threw outside any command and sets the exit code. */
export async function reportStartFailure(
  error: unknown,
  argv: readonly string[],
  options: Interfaces.Options,
): Promise<void> {
  const end = argv.indexOf('--');
  const head = end === -1 ? argv : argv.slice(0, end);
  const notFound = error instanceof Error && /^command .* not found$/.test(error.message);
  const failure = notFound
    ? await unknownCommand(
        head.filter(word => !word.startsWith('-')),
        options,
      )
    : toCliError(error);
  process.exitCode = failure.exit;
  if (head.includes('--json')) {
    process.stdout.write(`${JSON.stringify(toFailureJson(failure), undefined, 2)}\n`);
    return;
  }
  const screen = makeScreen(process.stderr, { noColor: head.includes('--no-color') });
  process.stderr.write(`${renderFailure(failure, screen)}\n`);
}
