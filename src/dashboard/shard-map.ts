/**
 * All shards as squares in the colour of the node that leads them, hatched where none does. One of
 * them is in the order of the Tab key, the arrow keys lead to the others; what a square stands for
 * is said in the line below, for a pointer, a finger and the keyboard alike.
 */
import type { ShardSummary } from '../ports/node-api.ts';
import type { Colours } from './colours.ts';
import { byId, element, type Row, Rows, setClass, setText } from './dom.ts';
import { shardWords } from './shard-words.ts';

class Square implements Row<ShardSummary> {
  readonly #colours: Colours;
  readonly element = element('button', { attributes: { type: 'button', tabindex: '-1' } });
  words = '';

  constructor(colours: Colours, pointed: (square: Square) => void) {
    this.#colours = colours;
    for (const kind of ['pointerenter', 'focus', 'click']) {
      this.element.addEventListener(kind, () => pointed(this));
    }
  }

  show(shard: ShardSummary): void {
    const hue = shard.leader === undefined ? '' : this.#colours.classOf(shard.leader);
    setClass(this.element, `shard ${shard.state} ${hue}`);
    this.words = shardWords(shard);
    this.element.title = this.words;
    this.element.setAttribute('aria-label', this.words);
  }
}

export class ShardMap {
  readonly #map = byId('shards', HTMLElement);
  readonly #words = byId('shard-words', HTMLElement);
  readonly #rows: Rows<ShardSummary>;
  #pointed: Square | undefined;

  constructor(colours: Colours) {
    this.#map.replaceChildren();
    const pointed = (square: Square): void => this.#point(square);
    this.#rows = new Rows(
      this.#map,
      shard => String(shard.shard),
      () => new Square(colours, pointed),
    );
    this.#map.onkeydown = event => this.#move(event);
  }

  show(shards: readonly ShardSummary[]): void {
    this.#rows.show(shards);
    const squares = this.#squares();
    if (!squares.some(square => square.tabIndex === 0) && squares[0] !== undefined) {
      squares[0].tabIndex = 0;
    }
    if (this.#pointed !== undefined) setText(this.#words, this.#pointed.words);
  }

  #squares(): HTMLElement[] {
    return [...this.#map.querySelectorAll<HTMLElement>('button')];
  }

  #point(square: Square): void {
    this.#pointed = square;
    setText(this.#words, square.words);
  }

  #move(event: KeyboardEvent): void {
    const squares = this.#squares();
    const from = squares.indexOf(document.activeElement as HTMLElement);
    const top = squares[0]?.offsetTop;
    const inRow = Math.max(1, squares.filter(square => square.offsetTop === top).length);
    const steps: Readonly<Record<string, number>> = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: inRow,
      ArrowUp: -inRow,
      Home: -from,
      End: squares.length - 1 - from,
    };
    const step = steps[event.key];
    const target = step === undefined ? undefined : squares[from + step];
    if (from === -1 || target === undefined) return;
    event.preventDefault();
    for (const square of squares) square.tabIndex = square === target ? 0 : -1;
    target.focus();
  }
}
