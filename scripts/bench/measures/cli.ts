/** `tsched submit` as a person feels it: the whole process, from its start to its end. */
import type { BenchContext, Measured } from '../measure.ts';
import { percentile, rounded } from '../statistics.ts';

export async function measureCli(context: BenchContext): Promise<Measured> {
  const cluster = await context.idleCluster();
  const calls = context.options.quick ? 6 : 15;
  const taken: number[] = [];
  for (let call = -2; call < calls; call++) {
    const tookMs = await cluster.timeCli(['submit', '-q', '--', '/bin/true']);
    if (call >= 0) taken.push(tookMs);
  }
  const value = rounded(percentile(taken, 0.5));
  context.progress(`tsched submit: p50 ${value} ms`);
  return {
    rows: [
      {
        id: 'cli.submit',
        label: '`tsched submit`, whole process, p50',
        value,
        unit: 'ms',
        note:
          `fastest ${rounded(Math.min(...taken))} ms, slowest ${rounded(Math.max(...taken))} ms ` +
          `of ${calls}`,
      },
    ],
    detail: { takenMs: taken.map(one => rounded(one, 1)) },
  };
}
