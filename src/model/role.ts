/** What a bearer token may do: `gateway/access.ts` says which role a request needs. */

/** Append-only: the number on disk is the position. */
export const roles = ['admin', 'submitter', 'reader'] as const;
export type Role = (typeof roles)[number];
