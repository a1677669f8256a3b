/** The one order of texts: by code units, equal on every node. */
export const byText = (left: string, right: string): number =>
  left < right ? -1 : left > right ? 1 : 0;
