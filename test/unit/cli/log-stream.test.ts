import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { CliError } from '../../../cli/cli-error.ts';
import { Client } from '../../../cli/client.ts';
import { followOutput, readOutput } from '../../../cli/log-stream.ts';

/** A task whose output a test writes, behind a server that loses connections when told to. */
class FakeOutput {
  readonly attempts = new Map<number, { text: string; ended: boolean }>();
  state = 'running';
  /** Bytes after which the next followed answer breaks off, once. */
  breakAfter: number | undefined;
  /** Requests for output, newest last. */
  readonly asked: string[] = [];
  #server: Server | undefined;

  async open(): Promise<Client> {
    const server = createServer((request, reply) => this.#answer(request, reply));
    this.#server = server;
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const addresses = [new URL(`http://127.0.0.1:${port}`)];
    const windows = { answeredMs: 300, refusedMs: 300 };
    return new Client({ addresses, token: undefined, source: 'test' }, windows);
  }

  close(): void {
    this.#server?.closeAllConnections();
    this.#server?.close();
  }

  #answer(request: IncomingMessage, reply: ServerResponse): void {
    const url = new URL(request.url ?? '', 'http://x');
    if (!url.pathname.endsWith('/logs')) {
      const attempts = [...this.attempts.keys()].map(attempt => ({
        attempt,
        nodeName: `node-${attempt}`,
        startedAtMs: 1,
      }));
      reply.end(JSON.stringify({ id: 'x', state: this.state, attempts }));
      return;
    }
    this.asked.push(url.search);
    const number = Number(url.searchParams.get('attempt') ?? [...this.attempts.keys()].at(-1));
    const found = this.attempts.get(number);
    if (found === undefined) {
      reply.writeHead(404).end(JSON.stringify({ code: 'noOutput', title: 't', detail: 'd' }));
      return;
    }
    const offset = Number(url.searchParams.get('offset'));
    const bytes = Buffer.from(found.text).subarray(offset);
    reply.writeHead(200, {
      'x-tsched-attempt': String(number),
      'x-tsched-size': String(Buffer.byteLength(found.text)),
      'x-tsched-ended': String(found.ended),
      'transfer-encoding': 'chunked',
    });
    if (url.searchParams.has('follow') && this.breakAfter !== undefined) {
      reply.write(bytes.subarray(0, this.breakAfter), () => reply.destroy());
      this.breakAfter = undefined;
    } else reply.end(bytes);
  }
}

let output: FakeOutput | undefined;
afterEach(() => output?.close());

function collect() {
  const chunks: Buffer[] = [];
  const notes: string[] = [];
  return {
    notes,
    text: () => Buffer.concat(chunks).toString(),
    sink: {
      write: async (chunk: Buffer): Promise<void> => {
        chunks.push(chunk);
      },
      note: (note: string): void => {
        notes.push(note);
      },
    },
  };
}

const stdoutOf = (attempt?: number) => ({ id: 'x', stream: 'stdout' as const, attempt });

describe('following an output', () => {
  test('goes on at the byte where the connection broke', async () => {
    output = new FakeOutput();
    output.attempts.set(1, { text: 'one\ntwö\nthree\n', ended: true });
    output.state = 'succeeded';
    output.breakAfter = 6;
    const seen = collect();
    const end = await followOutput(await output.open(), stdoutOf(), seen.sink);
    expect(seen.text()).toBe('one\ntwö\nthree\n');
    expect(end).toMatchObject({ attempt: 1, ended: true, offset: 15 });
    expect(output.asked[1]).toContain('offset=6');
  });

  test('goes over to the next attempt, whose output is told apart', async () => {
    output = new FakeOutput();
    output.attempts.set(1, { text: 'first\n', ended: true });
    const seen = collect();
    const following = followOutput(await output.open(), stdoutOf(), seen.sink);
    while (!seen.text().includes('first')) await new Promise(resolve => setImmediate(resolve));
    output.attempts.set(4, { text: 'second\n', ended: true });
    output.state = 'failed';
    await following;
    expect(seen.text()).toBe('first\nsecond\n');
    expect(seen.notes).toEqual(['--- attempt 4 on node-4 ---']);
  });

  test('of one attempt ends with it, though others follow', async () => {
    output = new FakeOutput();
    output.attempts.set(1, { text: 'first\n', ended: true });
    output.attempts.set(2, { text: 'second\n', ended: false });
    const seen = collect();
    await followOutput(await output.open(), stdoutOf(1), seen.sink);
    expect(seen.text()).toBe('first\n');
  });

  test('waits for the first attempt to start', async () => {
    output = new FakeOutput();
    const seen = collect();
    const { asked, attempts } = output;
    const following = followOutput(await output.open(), stdoutOf(), seen.sink);
    while (asked.length === 0) await new Promise(resolve => setImmediate(resolve));
    attempts.set(1, { text: 'late\n', ended: true });
    output.state = 'succeeded';
    await following;
    expect(seen.text()).toBe('late\n');
    expect(seen.notes).toEqual([]);
  });

  test('of a task that settled without running says that there is none', async () => {
    output = new FakeOutput();
    output.state = 'cancelled';
    const following = followOutput(await output.open(), stdoutOf(), collect().sink);
    await expect(following).rejects.toMatchObject({ code: 'noOutput' });
    await expect(following).rejects.toBeInstanceOf(CliError);
  });
});

describe('reading an output', () => {
  test('takes what is there and does not wait for more', async () => {
    output = new FakeOutput();
    output.attempts.set(1, { text: 'so far\n', ended: false });
    const seen = collect();
    const end = await readOutput(await output.open(), stdoutOf(), seen.sink);
    expect(end).toEqual({ attempt: 1, offset: 7, ended: false });
    expect(seen.text()).toBe('so far\n');
  });
});
