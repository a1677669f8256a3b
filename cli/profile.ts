/**
 * Which nodes to talk to and as whom: flags first, then the environment, then the profile file that
 * `cluster init` and `dev` write. The profile names files, it holds no secret itself.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { CliError, usageError } from './cli-error.ts';

/** Where a node serves HTTP unless it is told otherwise. */
export const defaultHttpAddress = '127.0.0.1:7070';

export interface Profile {
  readonly address: string;
  readonly tokenFile: string;
  /** A running node writes its HTTP address here; it goes before `address`. */
  readonly addressFile?: string | undefined;
}

/** `TSCHED_CONFIG_DIR`, else `tsched` in `XDG_CONFIG_HOME` or `~/.config`. */
export function configDirOf(env: Readonly<Record<string, string | undefined>>): string {
  return (
    env['TSCHED_CONFIG_DIR'] ||
    join(env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config'), 'tsched')
  );
}

const profilePath = (configDir: string): string => join(configDir, 'profile.json');

/** The profile, or `undefined` where there is none. Throws where it cannot be read. */
export function readProfile(configDir: string): Profile | undefined {
  const file = profilePath(configDir);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw new CliError('unauthorized', `${file}: ${(error as Error).message}`, {
      title: 'The profile cannot be read',
    });
  }
  try {
    const found = JSON.parse(text) as Partial<Record<keyof Profile, unknown>>;
    const { address, tokenFile, addressFile } = found;
    if (typeof address === 'string' && typeof tokenFile === 'string') {
      const named = typeof addressFile === 'string' ? addressFile : undefined;
      return { address, tokenFile, addressFile: named };
    }
  } catch {
    // Said below: what is wrong with it does not matter to whoever has to replace it.
  }
  throw new CliError('unauthorized', `${file} is not a profile`, {
    title: 'The profile cannot be read',
    suggestion: 'Delete it, and give --addr and --token-file instead.',
  });
}

/** Writes the profile in one step, readable by its owner only, and returns its path. */
export function writeProfile(configDir: string, profile: Profile): string {
  const file = profilePath(configDir);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(profile, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(draft, file);
  return file;
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT';

function readFirstLine(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim().split(/\r?\n/, 1)[0];
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** `HOST:PORT` or `http://HOST:PORT`, as a base URL. */
export function toBaseUrl(address: string): URL {
  const text = address.includes('://') ? address : `http://${address}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain = url !== undefined && /^https?:$/.test(url.protocol) && url.hostname !== '';
  if (!plain) {
    throw usageError(
      `\`${address}\` is not the address of a node`,
      'Give HOST:PORT, several with commas: --addr 127.0.0.1:7070,127.0.0.1:7071',
    );
  }
  return url;
}

export interface Target {
  readonly addresses: readonly URL[];
  readonly token: string | undefined;
  /** Where the addresses come from, for an error to say. */
  readonly source: string;
}

export interface TargetOptions {
  /** Comma list, from `--addr` or `TSCHED_ADDR`. */
  readonly addr: string | undefined;
  readonly tokenFile: string | undefined;
  readonly configDir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

function tokenOf(options: TargetOptions, profile: () => Profile | undefined): string | undefined {
  if (options.tokenFile !== undefined) {
    let token: string | undefined;
    try {
      token = readFirstLine(options.tokenFile);
    } catch (error) {
      throw usageError(`the token file cannot be read: ${(error as Error).message}`);
    }
    if (token) return token;
    throw usageError(
      `the token file ${options.tokenFile} ${token === undefined ? 'does not exist' : 'is empty'}`,
      'It is `admin.token` in the data directory of the node that made the cluster.',
    );
  }
  const fromEnv = options.env['TSCHED_TOKEN'];
  if (fromEnv) return fromEnv;
  const file = profile()?.tokenFile;
  return file === undefined ? undefined : readFirstLine(file);
}

export function resolveTarget(options: TargetOptions): Target {
  let known: { readonly profile: Profile | undefined } | undefined;
  const profile = (): Profile | undefined =>
    (known ??= { profile: readProfile(options.configDir) }).profile;
  let source = '--addr';
  let list = options.addr;
  if (list === undefined || list.trim() === '') {
    const found = profile();
    const written = found?.addressFile && readFirstLine(found.addressFile);
    list = written || found?.address || defaultHttpAddress;
    source = found === undefined ? 'default' : 'profile';
  }
  const addresses = list
    .split(',')
    .map(part => part.trim())
    .filter(part => part !== '')
    .map(toBaseUrl);
  if (addresses.length === 0) throw usageError('--addr names no node');
  return { addresses, token: tokenOf(options, profile), source };
}
