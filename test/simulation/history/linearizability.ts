/**
 * Whether a history of concurrent operations could have happened one after the other: the search of
 * Wing and Gong with Lowe's memory of what was tried, on a linked list from which operations are
 * lifted and to which they are given back.
 *
 * Contract
 * - An operation took effect at one instant between its call and its return. Instants are numbers;
 *   a call at the instant of another's return counts as concurrent with it.
 * - An operation without a return has an unknown outcome: it took effect at any time after its
 *   call, or never. What definitely did not happen is left out by the caller.
 * - Keys are independent of each other and are searched round about, each with a budget that grows,
 *   so that one that is hard hides no violation of another. `undecided` is an answer: the budget
 *   was used up, nothing is said.
 */

/** A sequential object: what an operation makes of a state. States are never changed in place. */
export interface Model<State, Input, Output> {
  readonly initial: State;
  /** The state after it; `undefined` where that output is impossible. No output: nobody heard. */
  readonly step: (state: State, input: Input, output: Output | undefined) => State | undefined;
  /** Equal texts for equal states. */
  readonly name: (state: State) => string;
}

export interface Operation<Input, Output> {
  readonly key: string;
  readonly callAt: number;
  /** Absent where nobody heard the outcome. */
  readonly returnAt?: number | undefined;
  readonly input: Input;
  readonly output?: Output | undefined;
}

export type LinearizabilityVerdict =
  | { readonly verdict: 'linearizable' | 'undecided' }
  /** `key` is the first one found to be impossible. */
  | { readonly verdict: 'violated'; readonly key: string };

interface Node<Input, Output> {
  readonly operation: Operation<Input, Output>;
  readonly number: number;
  /** Of a call: its return, if it has one. Of a return: nothing. */
  readonly match: Node<Input, Output> | undefined;
  readonly isCall: boolean;
  before: Node<Input, Output> | undefined;
  after: Node<Input, Output> | undefined;
}

interface Tried<State, Input, Output> {
  readonly node: Node<Input, Output>;
  readonly state: State;
}

/** The search through the operations of one key; it can be stopped and taken up again. */
class Search<State, Input, Output> {
  readonly #model: Model<State, Input, Output>;
  readonly #done: Uint8Array;
  readonly #seen = new Set<string>();
  readonly #stack: Tried<State, Input, Output>[] = [];
  #first: Node<Input, Output> | undefined;
  #at: Node<Input, Output> | undefined;
  #state: State;
  #returnsLeft = 0;

  constructor(model: Model<State, Input, Output>, operations: readonly Operation<Input, Output>[]) {
    this.#model = model;
    this.#state = model.initial;
    this.#done = new Uint8Array(operations.length);
    const nodes: Node<Input, Output>[] = [];
    operations.forEach((operation, number) => {
      const plain = { operation, number, before: undefined, after: undefined };
      const { returnAt } = operation;
      const match =
        returnAt === undefined ? undefined : { ...plain, isCall: false, match: undefined };
      nodes.push({ ...plain, isCall: true, match });
      if (match === undefined) return;
      nodes.push(match);
      this.#returnsLeft++;
    });
    nodes.sort((left, right) => instantOf(left) - instantOf(right) || order(left) - order(right));
    nodes.forEach((node, position) => {
      node.before = nodes[position - 1];
      node.after = nodes[position + 1];
    });
    this.#first = nodes[0];
    this.#at = this.#first;
  }

  /** At most `steps` tries more; `undefined` where they are not enough. */
  run(steps: number): boolean | undefined {
    for (let step = 0; step < steps; step++) {
      if (this.#returnsLeft === 0) return true;
      const node = this.#at;
      if (node === undefined || !node.isCall) {
        // Something returned that has not taken effect: an earlier choice was wrong.
        if (!this.#takeBack()) return false;
      } else if (!this.#take(node)) this.#at = node.after;
    }
    return this.#returnsLeft === 0 ? true : undefined;
  }

  #take(node: Node<Input, Output>): boolean {
    const { input, output } = node.operation;
    const next = this.#model.step(this.#state, input, output);
    if (next === undefined) return false;
    this.#done[node.number] = 1;
    const name = `${this.#done.join('')} ${this.#model.name(next)}`;
    if (this.#seen.has(name)) {
      this.#done[node.number] = 0;
      return false;
    }
    this.#seen.add(name);
    this.#stack.push({ node, state: this.#state });
    this.#state = next;
    this.#lift(node);
    if (node.match !== undefined) {
      this.#lift(node.match);
      this.#returnsLeft--;
    }
    this.#at = this.#first;
    return true;
  }

  #takeBack(): boolean {
    const last = this.#stack.pop();
    if (last === undefined) return false;
    const { node, state } = last;
    this.#state = state;
    this.#done[node.number] = 0;
    if (node.match !== undefined) {
      this.#giveBack(node.match);
      this.#returnsLeft++;
    }
    this.#giveBack(node);
    this.#at = node.after;
    return true;
  }

  #lift(node: Node<Input, Output>): void {
    if (node.before === undefined) this.#first = node.after;
    else node.before.after = node.after;
    if (node.after !== undefined) node.after.before = node.before;
  }

  #giveBack(node: Node<Input, Output>): void {
    if (node.before === undefined) this.#first = node;
    else node.before.after = node;
    if (node.after !== undefined) node.after.before = node;
  }
}

const instantOf = <I, O>({ isCall, operation }: Node<I, O>): number =>
  isCall ? operation.callAt : (operation.returnAt ?? Number.POSITIVE_INFINITY);

/** Calls come before returns of the same instant: whatever touches is concurrent. */
const order = <I, O>({ isCall, number }: Node<I, O>): number => (isCall ? 0 : 2 ** 32) + number;

const firstBudget = 1_000;

/** Checks a history; `steps` bounds the whole search. */
export function checkLinearizable<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
  steps = 1_000_000,
): LinearizabilityVerdict {
  const byKey = new Map<string, Operation<Input, Output>[]>();
  for (const operation of history) {
    const same = byKey.get(operation.key);
    if (same === undefined) byKey.set(operation.key, [operation]);
    else same.push(operation);
  }
  let open = [...byKey].map(([key, operations]) => ({
    key,
    search: new Search(model, operations),
  }));
  let left = steps;
  for (let budget = firstBudget; open.length > 0; budget *= 4) {
    const undecided: typeof open = [];
    for (const one of open) {
      if (left <= 0) return { verdict: 'undecided' };
      const granted = Math.min(budget, left);
      left -= granted;
      const found = one.search.run(granted);
      if (found === false) return { verdict: 'violated', key: one.key };
      if (found === undefined) undecided.push(one);
    }
    open = undecided;
  }
  return { verdict: 'linearizable' };
}
