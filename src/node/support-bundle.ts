/**
 * The support bundle of `tsched doctor --bundle`: what somebody needs to see who is to help, and no
 * secret. Only what is listed here goes in; keys, tokens, task documents and outputs are never read
 * for it, and whatever looks like a token is taken out of logs all the same.
 */
import { open, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { arch, cpus, freemem, platform, release, totalmem, uptime } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { programVersion } from '../model/version.ts';
import { DataDir } from './data-dir.ts';
import type { Examination } from './examine.ts';
import { ifThere } from './if-there.ts';
import { type TarFile, tarOf } from './tar.ts';

const logBytesMax = 1024 * 1024;
const askMs = 3_000;
const removed = '[removed]';
/** What a running node is asked for. */
const questions = [
  ['node/metrics.txt', '/metrics'],
  ['node/health.json', '/v1/health'],
  ['node/cluster-health.json', '/v1/cluster/health'],
  ['node/nodes.json', '/v1/nodes'],
  ['node/self.json', '/v1/nodes/self'],
  ['node/shards.json', '/v1/shards'],
] as const;

const textOf = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

/** Writes the bundle; answers the names in it. */
export async function writeSupportBundle(
  path: string,
  examined: Examination,
  logs: readonly string[],
): Promise<string[]> {
  const dir = new DataDir(examined.dataDir);
  const scrub = await scrubber(dir);
  const texts: [string, string][] = [
    ['examination.json', textOf(examined)],
    ['versions.json', textOf(versionsOf(examined))],
    ['files.json', textOf(await filesOf(dir))],
    ...(await askNode(dir)),
  ];
  for (const log of logs) texts.push([`logs/${basename(log)}`, await tailOf(log)]);
  const files = texts.map(([name, text]): TarFile => ({ name, content: Buffer.from(scrub(text)) }));
  const packed = await promisify(gzip)(tarOf(files, Date.now()));
  await writeFile(path, packed, { mode: 0o600 });
  return files.map(file => file.name);
}

function versionsOf({ formats }: Examination): object {
  return {
    program: programVersion,
    formats,
    runtime: process.version,
    system: `${platform()} ${release()} ${arch()}`,
    cpus: cpus().length,
    memoryBytes: totalmem(),
    memoryFreeBytes: freemem(),
    upSeconds: Math.round(uptime()),
    at: new Date().toISOString(),
  };
}

/** Names, sizes and modes; of `attempts`, whose content belongs to users, only how many. */
async function filesOf(dir: DataDir): Promise<object> {
  const rowsOf = async (path: string): Promise<object[]> => {
    const names = (await ifThere(readdir(path))) ?? [];
    return await Promise.all(
      names.sort().map(async name => {
        const found = await ifThere(stat(join(path, name)));
        const mode = found === undefined ? undefined : (found.mode & 0o777).toString(8);
        return { name, bytes: found?.size, mode, changed: found?.mtime.toISOString() };
      }),
    );
  };
  const attempts = ((await ifThere(readdir(join(dir.path, 'attempts')))) ?? []).length;
  return { directory: await rowsOf(dir.path), store: await rowsOf(dir.store), attempts };
}

async function askNode(dir: DataDir): Promise<[string, string][]> {
  const address = await dir.readText('http.address');
  const token = await dir.readText('admin.token');
  if (address === undefined) return [];
  const headers: Record<string, string> =
    token === undefined ? {} : { authorization: `Bearer ${token}` };
  return await Promise.all(
    questions.map(async ([name, path]): Promise<[string, string]> => {
      try {
        const signal = AbortSignal.timeout(askMs);
        const response = await fetch(`http://${address}${path}`, { headers, signal });
        const text = await response.text();
        return [name, response.ok ? text : `answered ${response.status}\n`];
      } catch (error) {
        return [name, `no answer: ${String(error)}\n`];
      }
    }),
  );
}

async function tailOf(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const length = Math.min(size, logBytesMax);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.subarray(0, bytesRead).toString('utf8');
  } finally {
    await file.close();
  }
}

/** Takes out the secrets of this directory wherever they stand, and what looks like one. */
async function scrubber(dir: DataDir): Promise<(text: string) => string> {
  const secrets = new Set<string>();
  for (const name of ['node.key', 'network.key', 'admin.token', 'join.json']) {
    const bytes = await ifThere(readFile(join(dir.path, name)));
    if (bytes === undefined) continue;
    for (const form of ['hex', 'base64', 'base64url', 'utf8'] as const) {
      secrets.add(bytes.toString(form).trim());
    }
    const token = /"token"\s*:\s*"([^"]+)"/.exec(bytes.toString('utf8'))?.[1];
    if (token !== undefined) secrets.add(token);
  }
  const known = [...secrets].filter(secret => secret.length >= 8);
  return text => {
    let clean = text;
    for (const secret of known) clean = clean.replaceAll(secret, removed);
    return clean
      .replaceAll(/\bBearer\s+[^\s"']+/gi, `Bearer ${removed}`)
      .replaceAll(/\btsched_[\w-]{40,}/g, removed)
      .replaceAll(/\btsj_[\w-]{16,}/g, removed);
  };
}
