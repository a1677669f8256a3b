/** Order in a graph of tasks that name those they wait for, and what is wrong with one. */

/** Indices so that each stands behind its parents, else in the order given; or a cycle of them. */
export function inOrder(
  parents: readonly (readonly number[])[],
): { readonly order: number[] } | { readonly cycle: number[] } {
  const left = parents.map(list => list.length);
  const children: number[][] = parents.map(() => []);
  parents.forEach((list, child) => {
    for (const parent of list) children[parent]!.push(child);
  });
  const order: number[] = [];
  left.forEach((count, index) => {
    if (count === 0) order.push(index);
  });
  // It grows while it is walked.
  for (const index of order) {
    for (const child of children[index]!) if (--left[child]! === 0) order.push(child);
  }
  return order.length === parents.length ? { order } : { cycle: cycleIn(parents, left) };
}

/** What is left once everything in order is taken away has a parent that is left too: a cycle. */
function cycleIn(parents: readonly (readonly number[])[], left: readonly number[]): number[] {
  const seen = new Map<number, number>();
  const path: number[] = [];
  let index = left.findIndex(count => count > 0);
  while (!seen.has(index)) {
    seen.set(index, path.length);
    path.push(index);
    index = parents[index]!.find(parent => left[parent]! > 0)!;
  }
  return path.slice(seen.get(index)).reverse();
}

const shownMax = 8;

/** `a → b → c → a`: each arrow leads from a task to one that waits for it. */
export function drawCycle(names: readonly string[]): string {
  const [first] = names;
  const shown =
    names.length > shownMax
      ? [...names.slice(0, shownMax - 1), `… ${names.length - shownMax} more …`, names.at(-1)!]
      : names;
  return [...shown, first].join(' → ');
}
