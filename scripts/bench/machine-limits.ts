/**
 * What the machine gives at this moment, measured before and after everything else: the host of a
 * virtual machine may drift by half within minutes, and a figure without these says little.
 */
import { spawn } from 'node:child_process';
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { connect } from 'node:net';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { percentile, rounded } from './statistics.ts';

export interface MachineLimits {
  /** fdatasync after each append of 512 bytes. */
  readonly fsyncsPerSecond: number;
  readonly fsyncP50Ms: number;
  readonly fsyncP99Ms: number;
  /** Round trips of 64 bytes between two processes, one at a time. */
  readonly tcpEchoesPerSecond: number;
  /** /bin/true started by Node, four at a time, output ignored. */
  readonly spawnsPerSecond: number;
  /** Turns of an empty loop in one thread: how fast a core is now. */
  readonly loopMillionsPerSecond: number;
  /** Load of the machine in the last minute, per core, before anything was measured. */
  readonly loadPerCore: number;
}

const spawnsAtATime = 4;

function measureFsync(dir: string, lengthMs: number) {
  const path = join(dir, `tsched-bench-fsync-${process.pid}`);
  const file = openSync(path, 'w');
  const bytes = Buffer.alloc(512, 'x');
  const taken: number[] = [];
  try {
    const endMs = performance.now() + lengthMs;
    for (let nowMs = performance.now(); nowMs < endMs; ) {
      writeSync(file, bytes);
      fdatasyncSync(file);
      const doneMs = performance.now();
      taken.push(doneMs - nowMs);
      nowMs = doneMs;
    }
  } finally {
    closeSync(file);
    rmSync(path, { force: true });
  }
  return {
    fsyncsPerSecond: rounded(taken.length / (lengthMs / 1_000)),
    fsyncP50Ms: rounded(percentile(taken, 0.5), 3),
    fsyncP99Ms: rounded(percentile(taken, 0.99), 3),
  };
}

async function measureEcho(lengthMs: number): Promise<number> {
  const server = spawn(process.execPath, [fileURLToPath(new URL('./echo.ts', import.meta.url))], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const port = await new Promise<number>((resolve, reject) => {
      server.once('error', reject);
      server.once('exit', code => reject(new Error(`the echo process ended with ${code}`)));
      server.stdout.once('data', (chunk: Buffer) => resolve(Number(chunk.toString())));
    });
    return await new Promise<number>((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true });
      const bytes = Buffer.alloc(64, 'x');
      let echoes = 0;
      let beganMs = 0;
      socket.once('error', reject);
      socket.once('connect', () => {
        beganMs = performance.now();
        socket.write(bytes);
      });
      socket.on('data', () => {
        echoes++;
        const tookMs = performance.now() - beganMs;
        if (tookMs < lengthMs) socket.write(bytes);
        else {
          socket.destroy();
          resolve(rounded(echoes / (tookMs / 1_000)));
        }
      });
    });
  } finally {
    server.removeAllListeners('exit');
    server.kill('SIGKILL');
  }
}

function measureSpawn(lengthMs: number): Promise<number> {
  const beganMs = performance.now();
  let done = 0;
  let running = 0;
  return new Promise((resolve, reject) => {
    const next = (): void => {
      const tookMs = performance.now() - beganMs;
      if (tookMs >= lengthMs) {
        if (running === 0) resolve(rounded(done / (tookMs / 1_000)));
        return;
      }
      running++;
      const child = spawn('/bin/true', [], { stdio: 'ignore' });
      child.once('error', reject);
      child.once('exit', () => {
        done++;
        running--;
        next();
      });
    };
    for (let place = 0; place < spawnsAtATime; place++) next();
  });
}

function measureLoop(lengthMs: number): number {
  const turnsOfRound = 10_000_000;
  const beganMs = performance.now();
  let rounds = 0;
  let sum = 0;
  while (performance.now() - beganMs < lengthMs) {
    for (let turn = 0; turn < turnsOfRound; turn++) sum += turn % 7;
    rounds++;
  }
  const seconds = (performance.now() - beganMs) / 1_000;
  return sum < 0 ? 0 : rounded((rounds * turnsOfRound) / seconds / 1e6);
}

/** Takes about four times `lengthMs`; `dir` is where the data directories of the nodes are made. */
export async function measureMachine(dir: string, lengthMs: number): Promise<MachineLimits> {
  const loadPerCore = rounded(loadavg()[0]! / cpus().length, 2);
  return {
    ...measureFsync(dir, lengthMs),
    tcpEchoesPerSecond: await measureEcho(lengthMs),
    spawnsPerSecond: await measureSpawn(lengthMs),
    loopMillionsPerSecond: measureLoop(lengthMs),
    loadPerCore,
  };
}
