/** Names that many attempts say: one text object for each. */

/** Beyond this many the table starts again. */
const namesMax = 4_096;

export class SharedNames {
  readonly #names = new Map<string, string>();

  share<T extends string>(name: T): T {
    const known = this.#names.get(name);
    if (known !== undefined) return known as T;
    if (this.#names.size >= namesMax) this.#names.clear();
    this.#names.set(name, name);
    return name;
  }
}
