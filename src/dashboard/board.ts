/**
 * The page behind the token: the cluster at the top, below it the listing or one task. Nodes and
 * shards are asked from time to time; tasks follow the stream of events.
 */
import type { ClusterHealth, HealthView, NodeSummary, ShardSummary } from '../ports/node-api.ts';
import type { Api } from './api.ts';
import { Colours } from './colours.ts';
import { closeQuestion } from './confirm.ts';
import type { Connection } from './connection.ts';
import { byId, setText } from './dom.ts';
import { followEvents } from './event-stream.ts';
import { hashOfList, type Place, placeOf } from './location.ts';
import { NodeCards } from './node-cards.ts';
import { Overview } from './overview.ts';
import { repeat } from './repeat.ts';
import { ShardMap } from './shard-map.ts';
import { TaskList } from './task-list.ts';
import { TaskPage } from './task-page.ts';
import { oneLine } from './text.ts';

const nodesMs = 2_000;
const shardsMs = 4_000;
const soonMs = 200;

interface Shown {
  readonly ended: AbortController;
  readonly place: Place;
  readonly view: TaskList | TaskPage;
}

export class Board {
  readonly #api: Api;
  readonly #connection: Connection;
  readonly #ended = new AbortController();
  readonly #colours = new Colours();
  readonly #overview = new Overview();
  readonly #nodes = new NodeCards(this.#colours);
  readonly #shards = new ShardMap(this.#colours);
  #shown: Shown | undefined;

  constructor(api: Api, connection: Connection) {
    this.#api = api;
    this.#connection = connection;
    const { signal } = this.#ended;
    byId('board', HTMLElement).hidden = false;
    this.#poll('node', nodesMs, () => this.#readNodes());
    this.#poll('cluster', shardsMs, () => this.#readCluster());
    window.addEventListener('hashchange', () => this.#go(), { signal });
    const skip = (event: Event): void => {
      event.preventDefault();
      byId(this.#shown?.place.kind === 'task' ? 'task-name' : 'tasks-title', HTMLElement).focus();
    };
    byId('skip', HTMLElement).addEventListener('click', skip, { signal });
    this.#go();
  }

  close(): void {
    this.#ended.abort();
    this.#shown?.ended.abort();
    closeQuestion();
    byId('board', HTMLElement).hidden = true;
  }

  #poll(source: string, everyMs: number, work: () => Promise<void>): void {
    const told = (error: unknown): void => this.#connection.tell(source, error);
    repeat({ everyMs, soonMs, signal: this.#ended.signal, told }, work);
  }

  async #readNodes(): Promise<void> {
    const { signal } = this.#ended;
    const { nodes } = await this.#api.get<{ nodes: NodeSummary[] }>('/v1/nodes', signal);
    this.#colours.learn(nodes.map(node => node.name));
    this.#nodes.show(nodes);
    const self = nodes.find(node => node.self);
    setText(byId('where', HTMLElement), self === undefined ? '' : oneLine(self.name));
  }

  async #readCluster(): Promise<void> {
    const { signal } = this.#ended;
    const [health, { shards }] = await Promise.all([
      this.#api.get<ClusterHealth>('/v1/cluster/health', signal),
      this.#api.get<{ shards: ShardSummary[] }>('/v1/shards', signal),
    ]);
    this.#overview.showHealth(health);
    this.#overview.showShards(shards);
    this.#shards.show(shards);
  }

  #go(): void {
    const place = placeOf(location.hash);
    const { view, place: before } = this.#shown ?? {};
    if (view instanceof TaskList && place.kind === 'list') {
      view.setFilters(place.filters);
      this.#keepBack(place);
      return;
    }
    this.#shown?.ended.abort();
    closeQuestion();
    byId('overview', HTMLElement).hidden = place.kind === 'task';
    byId('task', HTMLElement).hidden = place.kind === 'list';
    document.title = 'tsched';
    this.#keepBack(place);
    this.#shown = this.#open(place);
    if (before === undefined) return;
    window.scrollTo(0, 0);
    byId(place.kind === 'task' ? 'task-name' : 'tasks-title', HTMLElement).focus({
      preventScroll: true,
    });
  }

  /** The way back from a task leads to the listing as it was. */
  #keepBack(place: Place): void {
    if (place.kind !== 'list') return;
    byId('task-back', HTMLAnchorElement).href = hashOfList(place.filters);
  }

  #open(place: Place): Shown {
    const ended = new AbortController();
    const { signal } = ended;
    const told = (error: unknown): void => this.#connection.tell('tasks', error);
    const view =
      place.kind === 'task'
        ? new TaskPage(this.#api, place.id, signal, told)
        : new TaskList(this.#api, place.filters, signal, told);
    this.#connection.forget('events');
    followEvents(this.#api, place.kind === 'task' ? place.id : undefined, signal, {
      opened: () => view.reread(),
      event: event => view.take(event),
      told: error => this.#connection.tell('events', error),
    });
    return { ended, place, view };
  }
}

/** Whether the node knows the token; throws what is wrong otherwise. */
export async function tryToken(api: Api): Promise<void> {
  await api.get<HealthView>('/v1/cluster/health');
}
