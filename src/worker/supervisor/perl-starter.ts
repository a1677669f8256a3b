/**
 * The supervisor's side of the Perl starter (`starter-script.ts`): starting it, asking it, and
 * finding out before whether it works here.
 *
 * Should it end or fall silent, the attempts that it started are nobody's children any more: the
 * supervisor then has to end, and everything with it.
 */
import { getSystemErrorName } from 'node:util';
import { execa, execaSync } from 'execa';
import { checkCommand, explain, StartFault } from './command.ts';
import { exitOf, type StartEvents, type Starter, type StartRequest } from './starter.ts';
import { answerBytes, answers, stages, starterScript } from './starter-script.ts';

/**
 * For an answer of the probe. Where a machine starts everything at once it may be slow, and it
 * would be without this starter for as long as the supervisor lives.
 */
const probeMs = 30_000;
const everySilenceMs = 1_000;
/** Times in a row that nothing was answered while an answer is due, before it counts as stuck. */
const silencesMax = 10;

const headBytes = 4 + 4 + 4 + 4 + 8;

/** One request; `id` comes back in what is answered about it. */
function encodeRequest(id: number, request: StartRequest): Buffer {
  const { argv, env, cgroups, cwd, stdout, stderr, file } = request;
  const strings = [cwd, stdout, stderr, file, ...cgroups, ...argv];
  for (const name of Object.keys(env)) strings.push(name, env[name] ?? '');
  let length = headBytes;
  for (const text of strings) length += 4 + Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(length);
  frame.writeUInt32BE(length - 4, 0);
  frame.writeUInt32BE(id, 4);
  frame.writeUInt32BE(cgroups.length, 8);
  frame.writeUInt32BE(argv.length, 12);
  frame.writeDoubleBE(request.deadline, 16);
  let offset = headBytes;
  for (const text of strings) {
    const bytes = frame.write(text, offset + 4);
    frame.writeUInt32BE(bytes, offset);
    offset += 4 + bytes;
  }
  return frame;
}

interface Pending {
  readonly request: StartRequest;
  readonly events: StartEvents;
  fault: StartFault | undefined;
  answered: boolean;
}

/** Why a start failed, in words for the submitter. */
function faultOf(request: StartRequest, errno: number, stage: number): StartFault {
  const { argv, cwd, env } = request;
  const code = errno > 0 ? getSystemErrorName(-errno) : 'unknown';
  switch (stage) {
    case stages.fork:
      return explain('the system refused to start a process', code);
    case stages.group:
      return explain(`control groups ${request.cgroups.join(', ')}`, code);
    case stages.directory:
      return explain(`working directory ${cwd}`, code);
    case stages.output:
      return explain('output file', code);
  }
  try {
    // It was fine before: what has changed since is told in the same words.
    checkCommand(argv, cwd, env);
  } catch (error) {
    if (error instanceof StartFault) return error;
    throw error;
  }
  return explain(`cannot start ${argv[0] ?? ''}`, code);
}

export class PerlStarter implements Starter {
  readonly words = 'perl';
  readonly pid: number;
  readonly #stdin: NodeJS.WritableStream;
  readonly #pending = new Map<number, Pending>();
  readonly #onEnd: (error: Error) => void;
  #unanswered = 0;
  #silences = 0;
  #watch: NodeJS.Timeout | undefined;
  #nextId = 0;
  #rest: Buffer = Buffer.alloc(0);
  #outgoing: Buffer[] = [];

  /** `onEnd` has to end this process: it is called should the starter ever end or fall silent. */
  constructor(onEnd: (error: Error) => void) {
    this.#onEnd = onEnd;
    const subprocess = execa('perl', ['-e', starterScript], {
      cwd: '/',
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
      extendEnv: false,
      stdin: 'pipe',
      stdout: 'pipe',
      stderr: 'inherit',
      detached: true,
      cleanup: false,
      buffer: false,
      reject: false,
    });
    this.pid = subprocess.pid ?? 0;
    this.#stdin = subprocess.stdin;
    subprocess.stdin.on('error', onEnd);
    subprocess.stdout.on('error', onEnd);
    subprocess.stdout.on('data', (chunk: Buffer) => this.#receive(chunk));
    void subprocess.then(result => {
      const how = result.signal ?? `exit code ${result.exitCode ?? 'unknown'}`;
      onEnd(new Error(`the starter of the attempts has ended (${how})`));
    });
  }

  start(request: StartRequest, events: StartEvents): void {
    const id = this.#nextId;
    this.#nextId = (id + 1) >>> 0;
    this.#pending.set(id, { request, events, fault: undefined, answered: false });
    this.#unanswered++;
    this.#watch ??= setInterval(() => this.#checkSilence(), everySilenceMs);
    this.#outgoing.push(encodeRequest(id, request));
    if (this.#outgoing.length > 1) return;
    // One write for all that is asked in this turn.
    process.nextTick(() => {
      this.#stdin.write(Buffer.concat(this.#outgoing));
      this.#outgoing = [];
    });
  }

  /** Counted in turns of this process: while it was stopped itself, it could not hear anything. */
  #checkSilence(): void {
    if (this.#unanswered === 0) {
      clearInterval(this.#watch);
      this.#watch = undefined;
      this.#silences = 0;
    } else if (++this.#silences >= silencesMax) {
      this.#onEnd(new Error('the starter of the attempts does not answer'));
    }
  }

  #receive(chunk: Buffer): void {
    this.#silences = 0;
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let offset = 0;
    for (; bytes.length - offset >= answerBytes; offset += answerBytes) {
      const kind = bytes.readUInt8(offset);
      const id = bytes.readUInt32BE(offset + 1);
      this.#answer(kind, id, bytes.readUInt32BE(offset + 5), bytes.readUInt32BE(offset + 9));
    }
    this.#rest = bytes.subarray(offset);
  }

  #answer(kind: number, id: number, first: number, second: number): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) {
      this.#onEnd(new Error(`the starter of the attempts answered what was not asked: ${id}`));
      return;
    }
    if (!pending.answered) this.#unanswered--;
    pending.answered = true;
    const { request, events } = pending;
    if (kind === answers.started) events.started(first);
    else if (kind === answers.failed && second >= stages.group) {
      // The process that found out is still there; its end comes next.
      pending.fault = faultOf(request, first, second);
    } else {
      this.#pending.delete(id);
      if (kind === answers.ended && pending.fault === undefined) events.ended(exitOf(first));
      else if (second === stages.late) events.failed('late');
      else events.failed(pending.fault ?? faultOf(request, first, second));
    }
  }
}

/** Whether the starter works here, found out by having it start something; else why not. */
export function probePerlStarter(): string | undefined {
  const request: StartRequest = {
    file: '/bin/sh',
    argv: ['sh', '-c', 'exit $A'],
    env: { A: '7' },
    cwd: '/',
    cgroups: [],
    stdout: '/dev/null',
    stderr: '/dev/null',
    deadline: Number.POSITIVE_INFINITY,
  };
  const result = execaSync('perl', ['-e', starterScript, 'drain'], {
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
    extendEnv: false,
    input: encodeRequest(1, request),
    encoding: 'buffer',
    reject: false,
    timeout: probeMs,
  });
  const said = Buffer.from(result.stdout);
  const ended = said.length === 2 * answerBytes && said.readUInt8(answerBytes) === answers.ended;
  if (ended && exitOf(said.readUInt32BE(answerBytes + 5)).code === 7) return undefined;
  const [line = ''] = Buffer.from(result.stderr).toString('latin1').split('\n');
  return line || (result.originalMessage?.split('\n')[0] ?? 'it did not start a process');
}
