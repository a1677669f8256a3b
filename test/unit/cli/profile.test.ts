import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CliError } from '../../../cli/cli-error.ts';
import {
  configDirOf,
  readProfile,
  resolveTarget,
  type TargetOptions,
  toBaseUrl,
  writeProfile,
} from '../../../cli/profile.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsched-profile-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const target = (options: Partial<TargetOptions> = {}) =>
  resolveTarget({ addr: undefined, tokenFile: undefined, configDir: dir, env: {}, ...options });
const hosts = (options: Partial<TargetOptions> = {}) =>
  target(options).addresses.map(address => address.host);

function fileOf(name: string, text: string): string {
  const file = join(dir, name);
  writeFileSync(file, text);
  return file;
}

describe('addresses', () => {
  test('come from the flag, else the profile, else the default', () => {
    expect(hosts()).toEqual(['127.0.0.1:7070']);
    writeProfile(dir, { address: 'http://127.0.0.1:9000', tokenFile: 'x' });
    expect(hosts()).toEqual(['127.0.0.1:9000']);
    expect(hosts({ addr: 'a:1, b:2,' })).toEqual(['a:1', 'b:2']);
  });

  test('a running node that wrote its address goes before the address of the profile', () => {
    const addressFile = join(dir, 'http.address');
    writeProfile(dir, { address: '127.0.0.1:9000', tokenFile: 'x', addressFile });
    expect(hosts()).toEqual(['127.0.0.1:9000']);
    fileOf('http.address', 'http://127.0.0.1:9001\n');
    expect(hosts()).toEqual(['127.0.0.1:9001']);
  });

  test.each(['http://', 'ftp://x', ':::', 'a b'])('%j is refused', address => {
    expect(() => toBaseUrl(address)).toThrow(CliError);
  });
});

describe('tokens', () => {
  test('come from the file of the flag, else the environment, else the profile', () => {
    const env = { TSCHED_TOKEN: 'from-env' };
    writeProfile(dir, { address: 'a:1', tokenFile: fileOf('admin.token', 'from-profile\n') });
    expect(target().token).toBe('from-profile');
    expect(target({ env }).token).toBe('from-env');
    expect(target({ env, tokenFile: fileOf('t', 'from-file\n') }).token).toBe('from-file');
  });

  test('a file that was named must be there and hold something', () => {
    expect(() => target({ tokenFile: join(dir, 'none') })).toThrow('does not exist');
    expect(() => target({ tokenFile: fileOf('empty', '\n') })).toThrow('is empty');
  });

  test('a token file of the profile that is gone is no token: the node says what is missing', () => {
    writeProfile(dir, { address: 'a:1', tokenFile: join(dir, 'gone') });
    expect(target().token).toBeUndefined();
  });
});

describe('the profile', () => {
  test('is written for its owner only and read back', () => {
    const profile = { address: 'a:1', tokenFile: '/t', addressFile: '/d/http.address' };
    const file = writeProfile(join(dir, 'deep', 'tsched'), profile);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readProfile(join(dir, 'deep', 'tsched'))).toEqual(profile);
    expect(readProfile(join(dir, 'none'))).toBeUndefined();
  });

  test.each(['{', '[]', '{"address": 1}', 'null'])('%j is refused with its path', text => {
    fileOf('profile.json', text);
    expect(() => readProfile(dir)).toThrow('profile.json');
  });

  test('stands where the environment says', () => {
    expect(configDirOf({ TSCHED_CONFIG_DIR: '/a' })).toBe('/a');
    expect(configDirOf({ XDG_CONFIG_HOME: '/b' })).toBe('/b/tsched');
    expect(configDirOf({ HOME: '/c' })).toBe('/c/.config/tsched');
  });
});
