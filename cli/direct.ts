/**
 * The short way to a command whose name is known: its file is loaded and run, without the index of
 * all commands that oclif builds for help, topics and misspelt names. It halves the time until a
 * command does something; what it cannot do is left to oclif.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Interfaces } from '@oclif/core';

/** A command that was found, and the arguments that are left for it. */
export interface FoundCommand {
  /** As oclif writes it: `node:list`. */
  readonly id: string;
  readonly file: string;
  readonly argv: readonly string[];
}

const isWord = (text: string | undefined): text is string =>
  text !== undefined && /^[a-z][a-z-]{0,19}$/.test(text);

/** Questions about the program itself are for oclif. */
function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  const head = end === -1 ? argv : argv.slice(0, end);
  return head.includes('--help') || head.includes('-h');
}

/** Finds the command that `argv` begins with; `undefined` where that is not certain. */
export function findCommand(
  argv: readonly string[],
  root: string,
  extension: string,
): FoundCommand | undefined {
  const [first, second] = argv;
  if (!isWord(first) || asksForHelp(argv)) return undefined;
  const single = join(root, 'commands', `${first}${extension}`);
  if (existsSync(single)) return { id: first, file: single, argv: argv.slice(1) };
  if (!isWord(second)) return undefined;
  const inTopic = join(root, 'commands', first, `${second}${extension}`);
  if (!existsSync(inTopic)) return undefined;
  return { id: `${first}:${second}`, file: inTopic, argv: argv.slice(2) };
}

/** Runs the command. Its own errors are its own business: nothing is thrown for them. */
export async function runDirectly(found: FoundCommand, options: Interfaces.Options): Promise<void> {
  const [{ Config }, { default: command }] = await Promise.all([
    import('@oclif/core/config'),
    import(pathToFileURL(found.file).href) as Promise<typeof import('./commands/status.ts')>,
  ]);
  class DirectConfig extends Config {
    /** There are no plugins, so there are no hooks. */
    override async runHook(): Promise<{ successes: []; failures: [] }> {
      return { successes: [], failures: [] };
    }
  }
  const config = new DirectConfig(options);
  config.bin = 'tsched';
  config.topicSeparator = ' ';
  config.root = options.root;
  config.userAgent = 'tsched';
  command.id = found.id;
  await command.start(found.argv, config);
}
