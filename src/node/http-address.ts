/** Where the HTTP API listens: on loopback, unless it is said that the open is meant. */
import { TschedError } from '../model/errors.ts';

const loopbackHosts = new Set(['127.0.0.1', 'localhost', '[::1]', '::1']);

/** Throws `badRequest` for what is not `HOST:PORT`, or is not loopback and not `allowInsecure`. */
export function readHttp(http: string, allowInsecure: boolean): { host: string; port: number } {
  const match = /^(.*):(\d{1,5})$/.exec(http);
  const port = Number(match?.[2]);
  if (match === null || port > 65_535) {
    throw new TschedError('badRequest', `--http ${http} is not HOST:PORT`, { field: 'http' });
  }
  const host = match[1] === '' ? '127.0.0.1' : match[1]!;
  if (!loopbackHosts.has(host) && !host.startsWith('127.') && !allowInsecure) {
    throw new TschedError(
      'badRequest',
      `--http ${http} is not a loopback address, and the API has no TLS yet: put a proxy with TLS ` +
        'before it, or say --allow-insecure-http',
      { field: 'http' },
    );
  }
  return { host: host.replace(/^\[|\]$/g, ''), port };
}
