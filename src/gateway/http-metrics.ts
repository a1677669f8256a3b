/**
 * Metrics of the HTTP API and of the node behind it, as Prometheus reads them. One registry per
 * gateway, so that several nodes may live in one process.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { NodeApi } from '../ports/node-api.ts';

interface Seen {
  readonly count: Counter.Internal;
  readonly latency: Histogram.Internal<string>;
}

const latencyBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30];

export class HttpMetrics {
  readonly contentType: string;
  readonly #registry = new Registry();
  readonly #requests: Counter<'method' | 'route' | 'status'>;
  readonly #latency: Histogram<'method' | 'route'>;
  /** Children by route and status: looking labels up costs more than counting. */
  readonly #seen = new Map<string, Map<number, Seen>>();

  constructor() {
    const registers = [this.#registry];
    this.contentType = this.#registry.contentType;
    this.#requests = new Counter({
      name: 'tsched_http_requests_total',
      help: 'HTTP requests answered, by method, route and status.',
      labelNames: ['method', 'route', 'status'],
      registers,
    });
    this.#latency = new Histogram({
      name: 'tsched_http_request_seconds',
      help: 'Time from the head of an HTTP request to the end of its answer.',
      labelNames: ['method', 'route'],
      buckets: latencyBuckets,
      registers,
    });
    new Gauge({
      name: 'process_resident_memory_bytes',
      help: 'Resident memory of the process.',
      registers,
      collect() {
        this.set(process.memoryUsage.rss());
      },
    });
  }

  /** Counts one answered request. `route` is the pattern, never the path: paths are unbounded. */
  observe(method: string, route: string, status: number, elapsedMs: number): void {
    const key = `${method} ${route}`;
    let byStatus = this.#seen.get(key);
    if (byStatus === undefined) this.#seen.set(key, (byStatus = new Map()));
    let seen = byStatus.get(status);
    if (seen === undefined) {
      seen = {
        count: this.#requests.labels({ method, route, status: String(status) }),
        latency: this.#latency.labels({ method, route }),
      };
      byStatus.set(status, seen);
    }
    seen.count.inc();
    seen.latency.observe(elapsedMs / 1_000);
  }

  /** The text of `/metrics`. */
  async render(samples: ReturnType<NodeApi['metrics']>): Promise<string> {
    const registry = new Registry();
    const made = new Map<string, Counter | Gauge>();
    for (const sample of samples) {
      const labels = sample.labels ?? {};
      let metric = made.get(sample.name);
      if (metric === undefined) {
        const labelNames = Object.keys(labels);
        const options = { name: sample.name, help: sample.help, labelNames, registers: [registry] };
        metric = sample.kind === 'counter' ? new Counter(options) : new Gauge(options);
        made.set(sample.name, metric);
      }
      metric.inc(labels, sample.value);
    }
    return Registry.merge([this.#registry, registry]).metrics();
  }
}
