/**
 * What every command shares: the global flags, the client, output that obeys `--json`, `-q` and
 * `NO_COLOR`, and the one way errors are printed. A command parses, makes its calls, renders.
 */
import { Command } from '@oclif/core/command';
import type { Config } from '@oclif/core/config';
import { boolean, string } from '@oclif/core/flags';
import { type CliError, toCliError } from './cli-error.ts';
import type { Client } from './client.ts';
import { renderFailure, toFailureJson } from './output/failure.ts';
import { makeScreen, type Screen } from './output/screen.ts';

const globalFlags = {
  json: boolean({ description: 'print the result, or the error, as JSON', helpGroup: 'GLOBAL' }),
  addr: string({
    description:
      'nodes to talk to, HOST:PORT, several with commas; the next is tried when one fails',
    env: 'TSCHED_ADDR',
    helpGroup: 'GLOBAL',
    helpValue: 'HOST:PORT',
  }),
  'token-file': string({
    description: 'file that holds the bearer token; else TSCHED_TOKEN, else the profile',
    helpGroup: 'GLOBAL',
    helpValue: 'FILE',
  }),
  quiet: boolean({
    char: 'q',
    description: 'print only IDs, one a line',
    helpGroup: 'GLOBAL',
  }),
  'no-color': boolean({
    description: 'no colours; the same as NO_COLOR=1',
    helpGroup: 'GLOBAL',
  }),
};

export interface GlobalFlags {
  readonly addr?: string | undefined;
  readonly 'token-file'?: string | undefined;
  readonly quiet: boolean;
  readonly 'no-color': boolean;
}

export abstract class BaseCommand extends Command {
  static override enableJsonFlag = true;
  static override baseFlags = globalFlags;

  #quiet = false;
  #noColor = false;

  /** Runs a command with its arguments, without oclif's index of all commands. */
  static async start(
    this: new (
      argv: string[],
      config: Config,
    ) => BaseCommand,
    argv: readonly string[],
    config: Config,
  ): Promise<void> {
    await new this([...argv], config)._run();
  }

  /** To be called with the parsed flags before anything is printed. */
  protected begin(flags: GlobalFlags): void {
    this.#quiet = flags.quiet;
    this.#noColor = flags['no-color'];
  }

  protected async connect(flags: GlobalFlags): Promise<Client> {
    this.begin(flags);
    const [{ Client }, { configDirOf, resolveTarget }] = await Promise.all([
      import('./client.ts'),
      import('./profile.ts'),
    ]);
    return new Client(
      resolveTarget({
        addr: flags.addr,
        tokenFile: flags['token-file'],
        configDir: configDirOf(process.env),
        env: process.env,
      }),
    );
  }

  /** Standard output, at this moment. */
  protected get screen(): Screen {
    return makeScreen(process.stdout, { noColor: this.#noColor });
  }

  protected get errorScreen(): Screen {
    return makeScreen(process.stderr, { noColor: this.#noColor });
  }

  protected get quiet(): boolean {
    return this.#quiet;
  }

  /** A result for a person: nothing with `--json` or `-q`. */
  protected print(text: string): void {
    if (!this.jsonEnabled() && !this.#quiet && text !== '') process.stdout.write(`${text}\n`);
  }

  /** What `-q` prints. */
  protected printIds(ids: readonly string[]): void {
    if (!this.jsonEnabled() && this.#quiet && ids.length > 0) {
      process.stdout.write(`${ids.join('\n')}\n`);
    }
  }

  /** Progress and warnings: to standard error, nothing with `-q`. */
  protected note(text: string): void {
    if (!this.#quiet) process.stderr.write(`${text}\n`);
  }

  /** An error that does not end the command: others follow it. */
  protected report(error: unknown): CliError {
    const failure = toCliError(error, this.#words());
    if (!this.jsonEnabled()) {
      process.stderr.write(`${renderFailure(failure, this.errorScreen)}\n`);
    }
    return failure;
  }

  protected exitWith(code: number): void {
    process.exitCode = code;
  }

  protected override logJson(json: unknown): void {
    process.stdout.write(`${JSON.stringify(json, undefined, 2)}\n`);
  }

  protected override async catch(error: Error): Promise<void> {
    // A command that was parsed in part only: the flags of the raw arguments decide.
    const end = this.argv.indexOf('--');
    const head = end === -1 ? this.argv : this.argv.slice(0, end);
    this.#noColor ||= head.includes('--no-color');
    const failure = toCliError(error, this.#words());
    process.exitCode = failure.exit;
    if (this.jsonEnabled()) this.logJson(toFailureJson(failure));
    else process.stderr.write(`${renderFailure(failure, this.errorScreen)}\n`);
    if (failure.code === 'internal' && process.env['TSCHED_DEBUG'] !== undefined) {
      process.stderr.write(`${failure.stack}\n${String((failure.cause as Error)?.stack)}\n`);
    }
  }

  #words(): string {
    return (this.id ?? '').replaceAll(':', ' ');
  }
}
