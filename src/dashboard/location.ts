/**
 * What the page shows, as the part of its address behind `#`: a listing with its filters, or one
 * task. It can be kept, shared and gone back to; the token is never in it.
 */

export interface Filters {
  /** A state, `active` or `settled`; empty for all. */
  readonly state: string;
  /** Beginning of the name; empty for all. */
  readonly name: string;
}

export type Place =
  | { readonly kind: 'list'; readonly filters: Filters }
  | { readonly kind: 'task'; readonly id: string };

export function placeOf(hash: string): Place {
  const task = /^#\/tasks\/([0-9a-z]{4,40})$/.exec(hash);
  if (task?.[1] !== undefined) return { kind: 'task', id: task[1] };
  const query = new URLSearchParams(hash.split('?', 2)[1] ?? '');
  return {
    kind: 'list',
    filters: { state: query.get('state') ?? '', name: query.get('name') ?? '' },
  };
}

export const hashOfTask = (id: string): string => `#/tasks/${id}`;

export function hashOfList(filters: Filters): string {
  const query = new URLSearchParams();
  if (filters.state !== '') query.set('state', filters.state);
  if (filters.name !== '') query.set('name', filters.name);
  const text = query.toString();
  return text === '' ? '#/' : `#/?${text}`;
}
