/**
 * Making and changing elements. Text is only ever put on the page as text, never as markup: there
 * is no other way in this file, and the policy that the page is served with forbids the others.
 */

export interface ElementOptions {
  readonly class?: string;
  /** Shown as it is: made fit by `text.ts` where it came from outside. */
  readonly text?: string;
  readonly attributes?: Readonly<Record<string, string>>;
}

export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  options: ElementOptions = {},
  ...children: readonly Node[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  if (options.class !== undefined) made.className = options.class;
  if (options.text !== undefined) made.textContent = options.text;
  for (const [name, value] of Object.entries(options.attributes ?? {})) {
    made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** The element of `index.html` with this ID, which is of this kind. */
export function byId<Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} "${id}"`);
  return found;
}

/** Leaves alone what is equal: a selection, a screen reader and the layout stay calm. */
export function setText(target: Element, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}

export function setClass(target: Element, name: string): void {
  if (target.className !== name) target.className = name;
}

/** One item on the page. */
export interface Row<Item> {
  readonly element: HTMLElement;
  show(item: Item): void;
}

/**
 * The children of an element, one for each item of a list. An item that stays keeps its element,
 * and with it the focus and the pointer.
 */
export class Rows<Item> {
  readonly #parent: HTMLElement;
  readonly #keyOf: (item: Item) => string;
  readonly #make: () => Row<Item>;
  #rows = new Map<string, Row<Item>>();

  constructor(parent: HTMLElement, keyOf: (item: Item) => string, make: () => Row<Item>) {
    this.#parent = parent;
    this.#keyOf = keyOf;
    this.#make = make;
  }

  show(items: readonly Item[]): void {
    const rows = new Map<string, Row<Item>>();
    let place = this.#parent.firstElementChild;
    for (const item of items) {
      const key = this.#keyOf(item);
      const row = this.#rows.get(key) ?? this.#make();
      this.#rows.delete(key);
      rows.set(key, row);
      row.show(item);
      if (place === row.element) place = place.nextElementSibling;
      else this.#parent.insertBefore(row.element, place);
    }
    for (const gone of this.#rows.values()) gone.element.remove();
    this.#rows = rows;
  }

  showOne(item: Item): void {
    this.#rows.get(this.#keyOf(item))?.show(item);
  }
}
