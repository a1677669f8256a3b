/**
 * Who may ask what: the allow list of host names and the refusal of other origins (a page from
 * elsewhere must not reach a node through a user's browser, `reliability.md` 7 row 11), the bearer
 * token, and the order of roles. Every route but health and the files of the page passes through
 * `authorize`.
 */

import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import type { Actor } from '../model/command.ts';
import type { Role } from '../model/role.ts';
import type { NodeApi } from '../ports/node-api.ts';
import { refuse } from './problem.ts';

export type Identity = Actor & { readonly role: Role };

const roleRank: Record<Role, number> = { reader: 0, submitter: 1, admin: 2 };

export const roleAllows = (has: Role, needed: Role): boolean => roleRank[has] >= roleRank[needed];

/** Whether a task of `tenant` exists for `identity`: others' tasks are unknown, not forbidden. */
export const seesTenant = (identity: Identity, tenant: string): boolean =>
  identity.role === 'admin' || identity.tenant === tenant;

/** The tenant that bounds what `identity` sees; `undefined` for all. */
export const boundTenant = (identity: Identity): string | undefined =>
  identity.role === 'admin' ? undefined : identity.tenant;

const wildcards = new Set(['0.0.0.0', '::', '']);
const acceptedMax = 100;

function hostNameOf(header: string): string {
  if (header.startsWith('[')) return header.slice(1, Math.max(1, header.indexOf(']')));
  const colon = header.lastIndexOf(':');
  return (colon === -1 ? header : header.slice(0, colon)).toLowerCase();
}

/**
 * Makes the test of a Host header against the address that was bound. A name that leads to this
 * machine by somebody else's DNS is not on the list; a literal address cannot be rebound.
 */
export function hostGate(bound: string): (header: string | undefined) => boolean {
  const everywhere = wildcards.has(bound);
  const names = new Set(['localhost', '127.0.0.1', '::1', bound.toLowerCase()]);
  if (everywhere) names.add(hostname().toLowerCase());
  names.delete('');
  const accepted = new Set<string>();
  return header => {
    if (header === undefined) return false;
    if (accepted.has(header)) return true;
    const name = hostNameOf(header);
    if (!names.has(name) && !(everywhere && isIP(name) !== 0)) return false;
    if (accepted.size < acceptedMax) accepted.add(header);
    return true;
  };
}

/**
 * Whether `origin` is where the node's own page came from: the very host and port that the request
 * goes to. A page of another port of this machine is another's, as is one without an origin.
 */
const isOwnOrigin = (origin: string, host: string | undefined): boolean =>
  host !== undefined && origin === `http://${host.toLowerCase()}`;

/** Refuses a request that another's page in a browser could have made. */
export function refuseForeign(
  headers: IncomingHttpHeaders,
  allowsHost: (header: string | undefined) => boolean,
): void {
  if (!allowsHost(headers.host)) {
    refuse('forbidden', 'The Host header does not name this node.', { field: 'Host' });
  }
  if (headers.origin !== undefined && !isOwnOrigin(headers.origin, headers.host)) {
    refuse('forbidden', 'Requests from other web pages are not accepted.', { field: 'Origin' });
  }
}

const bearer = /^Bearer +([\x21-\x7e]{1,1024})$/i;

/** The token of a request that was authorized. */
export const tokenIn = (header: string | undefined): string => bearer.exec(header ?? '')?.[1] ?? '';

/** The identity behind the bearer token; throws `unauthorized` or `forbidden`. */
export function authorize(api: NodeApi, header: string | undefined, needed: Role): Identity {
  if (header === undefined) {
    return refuse('unauthorized', 'The request has no Authorization header.', {
      field: 'Authorization',
    });
  }
  const token = bearer.exec(header)?.[1];
  const identity = token === undefined ? undefined : api.authenticate(token);
  if (identity === undefined) {
    return refuse('unauthorized', 'The token is not known here.', { field: 'Authorization' });
  }
  if (!roleAllows(identity.role, needed)) {
    return refuse('forbidden', `The token has the role ${identity.role}; this needs ${needed}.`);
  }
  return identity;
}
