/**
 * From arguments to a command: directly where its name is known, else through oclif, which also
 * knows help, topics and what was misspelt. The root given to oclif is the folder of this file, so
 * that the compiled program and the sources behave alike.
 */
import { existsSync, readFileSync } from 'node:fs';
import module from 'node:module';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Interfaces } from '@oclif/core';
import { setUpNodeProcess } from './node-process.ts';

const root = dirname(fileURLToPath(import.meta.url));
/** `.ts` of the sources, `.js` of the compiled program. */
const extension = extname(fileURLToPath(import.meta.url));

interface PackageJson {
  readonly name: string;
  readonly version: string;
}

function readPackage(): PackageJson {
  // Sources stand one folder below package.json, the compiled program two.
  const near = join(root, '..', 'package.json');
  const file = existsSync(near) ? near : join(root, '..', '..', 'package.json');
  return JSON.parse(readFileSync(file, 'utf8')) as PackageJson;
}

/** What oclif reads from package.json in other programs. */
export function oclifOptions(): Interfaces.Options {
  const { name, version } = readPackage();
  return {
    root,
    pjson: {
      name,
      version,
      type: 'module',
      oclif: {
        bin: 'tsched',
        dirname: 'tsched',
        commands: {
          strategy: 'pattern',
          target: './commands',
          globPatterns: [`**/*${extension}`],
        },
        topicSeparator: ' ',
        additionalHelpFlags: ['-h'],
        additionalVersionFlags: ['-v'],
        topics: {
          schedule: { description: 'Run tasks again and again, at times of day or by cron.' },
          cluster: { description: 'Make a cluster, look at its health, let nodes join.' },
          chaos: { description: 'Break a cluster of real nodes under load, and tell what held.' },
          dlq: { description: 'Tasks that failed: look at them, run them again, put them aside.' },
          tier: { description: 'List what the tiers give to tasks, and change it.' },
          reserve: { description: 'Hold room for a tenant until a date.' },
          template: { description: 'Task documents with parameters: make, change, run them.' },
          node: { description: 'Start and stop nodes, list and show them.' },
          quota: { description: 'What the plans of tenants allow.' },
          tenant: { description: 'Who shares the cluster, and with which plan.' },
          token: { description: 'Bearer tokens of people and programs.' },
        },
      },
    },
  };
}

/** Global flags may also stand before the command: they are moved behind it. */
export function moveLeadingFlags(argv: readonly string[]): string[] {
  const withValue = new Set(['--addr', '--token-file']);
  const alone = new Set(['--json', '--quiet', '-q', '--no-color']);
  let position = 0;
  while (position < argv.length) {
    const name = argv[position]!.split('=', 1)[0]!;
    if (withValue.has(name)) position += argv[position]!.includes('=') ? 1 : 2;
    else if (alone.has(name)) position += 1;
    else break;
  }
  const rest = argv.slice(position);
  const leading = argv.slice(0, position);
  if (leading.length === 0 || rest.length === 0) return [...argv];
  const end = rest.indexOf('--');
  const split = end === -1 ? rest.length : end;
  return [...rest.slice(0, split), ...leading, ...rest.slice(split)];
}

/** `tsched help submit` is `tsched submit --help`. */
export const askForHelp = (argv: readonly string[]): string[] =>
  argv[0] === 'help' ? [...argv.slice(1), '--help'] : [...argv];

/** Runs one command and ends the process with its exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  const given = askForHelp(moveLeadingFlags(argv));
  setUpNodeProcess(given);
  module.enableCompileCache?.();
  const { findCommand, runDirectly } = await import('./direct.ts');
  const options = oclifOptions();
  const found = findCommand(given, root, extension);
  try {
    if (found === undefined) await (await import('@oclif/core/run')).run(given, options);
    else await runDirectly(found, options);
  } catch (error) {
    const { reportStartFailure } = await import('./start-failure.ts');
    await reportStartFailure(error, given, options);
  }
  await flushed(process.stdout);
  await flushed(process.stderr);
  process.exit();
}

const flushed = (stream: NodeJS.WriteStream): Promise<void> =>
  new Promise(resolve => {
    // A reader that went away (`| head`) ends the wait as well.
    stream.write('', () => resolve());
  });
