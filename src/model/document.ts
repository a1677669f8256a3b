/** Task documents as plain maps, before anybody has read them. */

export type DocumentMap = Readonly<Record<string, unknown>>;

export const isMap = (value: unknown): value is DocumentMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `base` with `over` over it: maps are joined name by name, everything else is replaced. */
export function joinDocuments(base: DocumentMap, over: DocumentMap): DocumentMap {
  const joined: Record<string, unknown> = { ...base };
  for (const [field, value] of Object.entries(over)) {
    const before = joined[field];
    joined[field] = isMap(before) && isMap(value) ? { ...before, ...value } : value;
  }
  return joined;
}
