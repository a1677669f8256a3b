/**
 * The page of the node, as files from `dashboard/`: read once at start, served from memory, without
 * a token, because they hold nothing that is secret. What the page then asks of `/v1` needs one. No
 * path of a request reaches the file system: a name is looked up among the files that were read.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Log } from '../ports/log.ts';
import { ProblemError, problemOf } from './problem.ts';
import { paramOf } from './route.ts';

/** Where `scripts/build.ts` puts the page, seen from the built gateway. */
const builtFolder = fileURLToPath(new URL('../dashboard/', import.meta.url));

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

interface PageFile {
  readonly type: string;
  readonly bytes: Buffer;
  readonly etag: string;
}

type PageFiles = ReadonlyMap<string, PageFile>;

/**
 * Nothing from anywhere else, nothing inline, no frame around it, no text that becomes markup. A
 * task's name or output that got into the page as markup would still run nothing.
 */
const policy = [
  "default-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "object-src 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const pageHeaders: Readonly<Record<string, string>> = {
  'Content-Security-Policy': policy,
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
  // Asked again each time, answered 304: a node that was upgraded must not meet an old page.
  'Cache-Control': 'no-cache',
};

async function readPages(folder: string): Promise<PageFiles> {
  const files = new Map<string, PageFile>();
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const type = types[extname(entry.name)];
    if (!entry.isFile() || type === undefined) continue;
    const bytes = await readFile(join(folder, entry.name));
    const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`;
    files.set(entry.name, { type, bytes, etag });
  }
  return files;
}

/** Whether an If-None-Match header names `etag` (RFC 9110, 13.1.2: compared weakly). */
export function namesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  const names = header.split(',').map(name => name.trim().replace(/^W\//, ''));
  return names.includes('*') || names.includes(etag);
}

function sendFile(request: FastifyRequest, reply: FastifyReply, file: PageFile): FastifyReply {
  reply.headers(pageHeaders).header('ETag', file.etag);
  if (namesEtag(request.headers['if-none-match'], file.etag)) return reply.code(304).send();
  return reply.type(file.type).send(file.bytes);
}

/**
 * Adds `GET /` and `GET /dashboard/:file`. A folder that is not there, as where the sources run
 * without a build, leaves both unknown; the API does not depend on its page.
 */
export async function addPages(
  app: FastifyInstance,
  log: Log,
  folder: string = builtFolder,
): Promise<void> {
  let files: PageFiles = new Map();
  try {
    files = await readPages(folder);
  } catch (error) {
    log.warn('there is no page to serve', { folder, error: String(error) });
  }
  const answer = (name: string, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const file = files.get(name);
    if (file !== undefined) return sendFile(request, reply, file);
    throw new ProblemError(problemOf('unknownRoute', 'The page has no such file.'));
  };
  const open = { schema: { hide: true }, config: { role: 'none' as const } };
  const method = ['GET', 'HEAD'];
  app.route({
    ...open,
    method,
    url: '/',
    handler: (request, reply) => answer('index.html', request, reply),
  });
  app.route({
    ...open,
    method,
    url: '/dashboard/:file',
    handler: (request, reply) => answer(paramOf(request, 'file'), request, reply),
  });
}
