/**
 * Entry of the supervisor process: `main.ts DATA_DIR NAMESPACE [BEST] [STARTER] [LIMITS]`, where
 * NAMESPACE is the JSON of what the node probed about PID namespaces (`Probe`), and BEST the best
 * `TreeKind`, STARTER the best `StarterKind` and LIMITS the best `LimitKind` it may use.
 * Started by `supervisor-process.ts`.
 *
 * Listens on `<data>/supervisor.sock` (the directory is 0700). One node at a time: the newest wins.
 */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { Guard } from './guard.ts';
import { closeInheritedFiles } from './inherited-files.ts';
import { chooseIsolation, type Probe } from './isolation.ts';
import { readJournal } from './journal.ts';
import type { LimitKind } from './limit-probe.ts';
import { NodeStarter } from './node-starter.ts';
import { PerlStarter, probePerlStarter } from './perl-starter.ts';
import type { TreeKind } from './process-tree.ts';
import {
  abandonedMs,
  encodeFrame,
  FrameReader,
  type FromSupervisor,
  foundPerFrame,
  supervisorVersion,
  type ToSupervisor,
} from './protocol.ts';
import { endEverything, noteGroups, removeGroups, socketPath } from './remains.ts';
import { Supervisor } from './supervisor.ts';

function fail(error: unknown): never {
  console.error(
    `supervisor ends: ${error instanceof Error ? (error.stack ?? error.message) : error}`,
  );
  // All attempts go with this process: a supervisor that cannot keep its records must not go on.
  process.exit(74);
}

/** Batches the frames of one turn into one write. */
function frameWriter(socket: Socket): (message: FromSupervisor) => void {
  let frames: Buffer[] = [];
  return message => {
    if (socket.destroyed) return;
    frames.push(encodeFrame(message));
    if (frames.length > 1) return;
    setImmediate(() => {
      socket.write(Buffer.concat(frames));
      frames = [];
    });
  };
}

function serve(dataDir: string, supervisor: Supervisor): void {
  let current: Socket | undefined;
  let lonelySinceMs = performance.now();
  const server = createServer(socket => {
    const before = current;
    current = socket;
    before?.end(encodeFrame({ kind: 'replaced' }));
    const tell = frameWriter(socket);
    const reader = new FrameReader<ToSupervisor>();
    const hello = supervisor.connect(tell);
    for (let from = 0; from < hello.found.length; from += foundPerFrame) {
      tell({ kind: 'found', found: hello.found.slice(from, from + foundPerFrame) });
    }
    tell({ kind: 'hello', version: supervisorVersion, hello: { ...hello, found: [] } });
    socket.on('data', chunk => {
      if (socket !== current) return;
      try {
        for (const message of reader.push(chunk)) supervisor.receive(message);
      } catch (error) {
        console.error(`closed the connection of a node: ${String(error)}`);
        socket.destroy();
      }
    });
    socket.on('error', error => console.error(`connection of the node: ${error.message}`));
    socket.on('close', () => {
      if (socket !== current) return;
      current = undefined;
      lonelySinceMs = performance.now();
      supervisor.disconnect();
    });
  });
  server.on('error', fail);
  const path = socketPath(dataDir);
  rmSync(path, { force: true });
  // The directory is the node's own; this holds should somebody have opened it up.
  server.listen(path, () => chmodSync(path, 0o600));
  setInterval(() => {
    if (current !== undefined || supervisor.busy) lonelySinceMs = performance.now();
    else if (performance.now() - lonelySinceMs >= abandonedMs) {
      supervisor.shutdown(() => {
        removeGroups(dataDir);
        process.exit(0);
      });
    }
  }, 1_000);
}

function main(): void {
  const [dataDir, probed, ...bests] = process.argv.slice(2);
  const [best = 'cgroup', starterBest = 'perl', bestLimits = 'kernel'] = bests;
  if (dataDir === undefined || probed === undefined) throw new Error('usage: main DATA_DIR PROBE');
  closeInheritedFiles();
  process.title = 'tsched-supervisor';
  // A terminal's Ctrl-C or a service's stop is for the node: it decides what becomes of attempts.
  for (const name of ['SIGINT', 'SIGHUP', 'SIGTERM'] as const) process.on(name, () => undefined);
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);
  const inherited = readJournal(join(dataDir, 'journal'));
  endEverything(dataDir, inherited);
  const namespace = JSON.parse(probed) as Probe<readonly string[]>;
  const kinds = { best: best as TreeKind, bestLimits: bestLimits as LimitKind };
  const isolation = chooseIsolation(dataDir, namespace, kinds);
  noteGroups(dataDir, isolation.tree.pool?.base, isolation.limiter.bases);
  const guard =
    namespace.value === undefined ? new Guard(isolation.tree.pool?.base ?? '', fail) : undefined;
  const noPerl = starterBest === 'node' ? 'switched off' : probePerlStarter();
  const starter =
    noPerl === undefined
      ? new PerlStarter(fail)
      : new NodeStarter(noPerl, isolation.tree.exactShell);
  serve(dataDir, new Supervisor({ dataDir, isolation, starter, inherited, guard, onFault: fail }));
}

main();
