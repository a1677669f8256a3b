/** One node of `tsched dev`: the program itself as a process, its log in a file beside its data. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { TschedError } from '../model/errors.ts';

export interface DevOptions {
  readonly dir: string;
  readonly shards: number;
  readonly httpPort: number;
  readonly nodes: number;
  readonly workload: boolean;
}

export interface DevNode {
  readonly name: string;
  readonly dir: string;
  readonly process: ChildProcess;
  /** `HOST:PORT` of its API once it takes tasks; rejects where it ends or takes too long. */
  readonly ready: Promise<string>;
  /** Empty until it is ready. */
  address: string;
}

const startMs = 60_000;
const portsPerNode = 100;

/** Each node gives its tasks ports of its own. */
function portsOf(number: number): string {
  const from = 20_000 + (number - 1) * portsPerNode;
  return `${from}-${from + portsPerNode - 1}`;
}

export const devNodeDir = (options: DevOptions, number: number): string =>
  join(options.dir, `node-${number}`);

/** Starts the process; a node that is not a member yet needs a join token. */
export function spawnDevNode(
  options: DevOptions,
  number: number,
  joinToken: string | undefined,
): DevNode {
  const name = `node-${number}`;
  const dir = devNodeDir(options, number);
  const http = options.httpPort === 0 ? 0 : options.httpPort + number - 1;
  const args = [
    ...process.execArgv,
    process.argv[1]!,
    ...['node', 'start', '--data-dir', dir, '--name', name],
    ...['--listen', '/ip4/127.0.0.1/tcp/0', '--http', `127.0.0.1:${http}`, '--tier', 'premium'],
    ...['--ballast', '0', '--ports', portsOf(number)],
  ];
  const logFile = join(options.dir, `${name}.log`);
  // A group of its own: Ctrl-C in a terminal reaches this process only, which ends them in order.
  const child = spawn(process.execPath, args, {
    // Arguments can be read by everybody on the machine, and the token is a secret.
    env: { ...process.env, ...(joinToken === undefined ? {} : { TSCHED_JOIN: joinToken }) },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  child.stderr?.pipe(createWriteStream(logFile, { flags: 'a' }));
  return { name, dir, process: child, ready: untilReady(child, name, logFile), address: '' };
}

function untilReady(child: ChildProcess, name: string, logFile: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const late = `${name} is not ready after ${startMs / 1_000} s; see ${logFile}`;
    const timer = setTimeout(() => reject(new TschedError('starting', late)), startMs);
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const ready = /ready http:\/\/(\S+)/.exec(text);
      if (ready === null) return;
      clearTimeout(timer);
      resolve(ready[1]!);
    });
    child.once('exit', code => {
      clearTimeout(timer);
      const why = `${name} ended with exit code ${code}; see ${logFile}`;
      reject(new TschedError('unreachable', why));
    });
  });
}
