/**
 * Which colour stands for which node: by its place among all names, so that every page of the
 * cluster shows the same. The colours themselves are in `base.css`, `.hue-0` to `.hue-7`.
 */
const hues = 8;

export class Colours {
  #names: readonly string[] = [];

  learn(names: readonly string[]): void {
    this.#names = [...names].sort();
  }

  /** The class for a node; none for one that is not known. */
  classOf(name: string): string {
    const place = this.#names.indexOf(name);
    return place === -1 ? '' : `hue-${place % hues}`;
  }
}
