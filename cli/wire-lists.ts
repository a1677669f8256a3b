/** Lists of the API come as an array or as a field of an object: both are read. */

/** The list in `body`, under `name` where it is an object. */
export function listIn<T>(body: unknown, name: string): readonly T[] {
  if (Array.isArray(body)) return body as readonly T[];
  if (typeof body === 'object' && body !== null && name in body) {
    const found = (body as Record<string, unknown>)[name];
    if (Array.isArray(found)) return found as readonly T[];
  }
  return [];
}
