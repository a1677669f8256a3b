/** The nodes of the cluster: what each has, what of it is taken, and how old that knowledge is. */
import type { NodeSummary } from '../ports/node-api.ts';
import type { Colours } from './colours.ts';
import { byId, element, type Row, Rows, setClass, setText } from './dom.ts';
import { cpus, size, span } from './format.ts';
import { oneLine } from './text.ts';

/** An advertisement this old is pointed out; they come every second in small clusters. */
const oldMs = 5_000;

class Meter {
  readonly element: HTMLElement;
  readonly #fill = element('span', { class: 'meter-fill' });
  readonly #bar: HTMLElement;
  readonly #words = element('span', { class: 'meter-words' });

  constructor(label: string) {
    this.#bar = element(
      'span',
      {
        class: 'meter',
        attributes: {
          role: 'meter',
          'aria-label': label,
          'aria-valuemin': '0',
          'aria-valuemax': '100',
        },
      },
      this.#fill,
    );
    const name = element('span', { class: 'meter-label', text: label });
    this.element = element('div', { class: 'meter-row' }, name, this.#words, this.#bar);
  }

  /** `free` is missing where nothing was heard lately. */
  show(total: number, free: number | undefined, format: (amount: number) => string): void {
    const used = free === undefined ? 0 : Math.min(total, Math.max(0, total - free));
    const percent = total === 0 ? 0 : Math.round((used / total) * 100);
    this.#fill.style.setProperty('width', `${percent}%`);
    const words =
      free === undefined ? `? of ${format(total)}` : `${format(used)} of ${format(total)}`;
    this.#bar.setAttribute('aria-valuenow', String(percent));
    this.#bar.setAttribute('aria-valuetext', `${words} taken`);
    setText(this.#words, words);
  }
}

class NodeCard implements Row<NodeSummary> {
  readonly #colours: Colours;
  readonly #dot = element('span', { attributes: { 'aria-hidden': 'true' } });
  readonly #name = element('span', { class: 'node-name' });
  readonly #state = element('span');
  readonly #tier = element('span', { class: 'tier' });
  readonly #cpu = new Meter('CPU');
  readonly #memory = new Meter('Memory');
  readonly #counts = element('p', { class: 'counts' });
  readonly #heard = element('p', { class: 'small' });
  readonly element = element(
    'li',
    { class: 'card node' },
    element('h3', {}, this.#dot, this.#name, this.#tier, this.#state),
    this.#cpu.element,
    this.#memory.element,
    this.#counts,
    this.#heard,
  );

  constructor(colours: Colours) {
    this.#colours = colours;
  }

  show(node: NodeSummary): void {
    const { total, free } = node;
    setClass(this.element, node.state === 'up' ? 'card node' : 'card node away');
    setClass(this.#dot, `dot ${this.#colours.classOf(node.name)}`);
    setText(this.#name, oneLine(node.name));
    setText(this.#tier, node.tier);
    const words = node.state === 'up' ? (node.self ? 'this node' : '') : node.state;
    setText(this.#state, words);
    setClass(this.#state, node.state === 'up' ? 'node-state' : 'node-state wrong');
    this.#cpu.show(total.cpuMilli, free?.cpuMilli, cpus);
    this.#memory.show(total.memoryBytes, free?.memoryBytes, size);
    const counts = `${node.running} running · ${node.queued} queued · leads ${node.leads}`;
    setText(this.#counts, free === undefined ? 'What it does is not known now.' : counts);
    const age = node.advertAgeMs;
    setText(this.#heard, age === undefined ? 'Nothing heard of it' : `Heard ${span(age)} ago`);
    setClass(this.#heard, age === undefined || age > oldMs ? 'small wrong' : 'small');
  }
}

export class NodeCards {
  readonly #rows: Rows<NodeSummary>;

  constructor(colours: Colours) {
    const parent = byId('nodes', HTMLElement);
    parent.replaceChildren();
    this.#rows = new Rows(
      parent,
      node => node.id,
      () => new NodeCard(colours),
    );
  }

  show(nodes: readonly NodeSummary[]): void {
    const byName = [...nodes].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    this.#rows.show(byName);
  }
}
