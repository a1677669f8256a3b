/** Questions to whichever node answers: each is asked of the next one until somebody says yes. */
import type { Answer } from './calls.ts';
import type { Cluster } from './cluster.ts';
import { until } from './until.ts';

const tryMs = 5_000;

/** What `read` makes of the first answer that it takes; `undefined` after the limit. */
export async function askUntil<T>(
  cluster: Cluster,
  request: { readonly path: string; readonly body?: unknown },
  read: (answer: Answer) => T | undefined,
  patience: { readonly limitMs: number; readonly signal?: AbortSignal | undefined },
): Promise<T | undefined> {
  const { path, body } = request;
  let turn = 0;
  return until(
    async () => {
      const awake = cluster.nodes.filter(node => node.awake);
      const node = awake[turn++ % Math.max(1, awake.length)];
      if (node === undefined) return undefined;
      let answer: Answer;
      try {
        answer = await cluster.call(node, path, { body, limitMs: tryMs });
      } catch {
        // It died, froze or is cut off: the next one is asked.
        return undefined;
      }
      return read(answer);
    },
    { ...patience, pollMs: cluster.retryEveryMs },
  );
}

const versionMs = 120_000;
/** Order keys, start bounds and schedules came with this version of the cluster. */
const timesVersion = 3;

/** Until the cluster reads all that the work asks for; a new one gets there by itself. */
export async function untilVersion(cluster: Cluster, signal: AbortSignal): Promise<void> {
  let seen = 0;
  const read = ({ body }: Answer): true | undefined => {
    seen = (body as { clusterVersion?: number }).clusterVersion ?? seen;
    return seen >= timesVersion || undefined;
  };
  const patience = { limitMs: versionMs, signal };
  if (await askUntil(cluster, { path: '/v1/cluster/health' }, read, patience)) return;
  throw new Error(
    `the cluster has version ${seen}, and order keys, start bounds and schedules need ` +
      `${timesVersion}: upgrade its nodes, or let the work do without them (percent: 0, once: 0, ` +
      'everyMinute: 0)',
  );
}
