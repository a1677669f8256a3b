/**
 * Reading an export as it comes. Tasks are handed on a page at a time, once the line behind it says
 * where the next one begins: after a lost connection the export goes on there, at another node if
 * need be, and no task is handed on twice.
 */
import type { TaskView } from '../src/model/task.ts';
import { CliError } from './cli-error.ts';
import type { Client } from './client.ts';
import { isOutage } from './log-stream.ts';

/** No node can be reached for so long before it is given up. */
const outageMsMax = 60_000;
const pauseMs = 500;
/** A page is about 1 MiB; a line that never ends is none. */
const pageBytesMax = 64 * 1024 * 1024;

export interface ExportEnd {
  readonly tasks: number;
  readonly missingShards: readonly number[];
  readonly staleShards: readonly number[];
}

/** One line of the answer: one of these. */
interface Line {
  readonly task?: TaskView;
  readonly cursor?: string;
  readonly end?: ExportEnd;
}

/** Takes whole pages, in order. */
type Write = (tasks: readonly TaskView[]) => Promise<void>;

async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<Line> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = parts.pop()!;
    if (rest.length > pageBytesMax) throw new CliError('internal', 'a line has no end');
    for (const part of parts) yield JSON.parse(part) as Line;
  }
}

/** Reads until the answer ends; `undefined` where it broke off. */
async function readOnce(
  client: Client,
  query: URLSearchParams,
  write: Write,
): Promise<ExportEnd | undefined> {
  const answer = await client.open(`/v1/history?${query}`);
  let page: TaskView[] = [];
  for await (const { task, cursor, end } of linesOf(answer.chunks)) {
    if (task !== undefined) page.push(task);
    else {
      await write(page);
      page = [];
      if (end !== undefined) return end;
      if (cursor !== undefined) query.set('cursor', cursor);
    }
  }
  return undefined;
}

/** All that `query` asks for; its cursor is moved behind what was written. */
export async function readExport(
  client: Client,
  query: URLSearchParams,
  write: Write,
): Promise<Pick<ExportEnd, 'missingShards' | 'staleShards'>> {
  let outageSinceMs: number | undefined;
  for (;;) {
    const before = query.get('cursor');
    let why: Error | undefined;
    try {
      const end = await readOnce(client, query, write);
      if (end !== undefined) return end;
    } catch (error) {
      if (!isOutage(error)) throw error;
      why = error;
    }
    const nowMs = performance.now();
    if (query.get('cursor') !== before) outageSinceMs = undefined;
    outageSinceMs ??= nowMs;
    if (nowMs - outageSinceMs > outageMsMax) {
      throw why ?? new CliError('unreachable', 'the answer broke off again and again');
    }
    await new Promise<void>(resolve => setTimeout(resolve, pauseMs));
  }
}
