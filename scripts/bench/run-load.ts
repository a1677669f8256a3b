/** Starts the load generator and waits for what it tells. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { BenchCluster } from './cluster.ts';
import type { LoadJob, LoadResult } from './load-job.ts';

const program = fileURLToPath(new URL('./load.ts', import.meta.url));
/** Beyond this a generator is ended: nothing that is measured here takes as long. */
const longestMs = 180_000;

let nextNumber = 1;

/** Numbers of tasks are never used twice in one run of the benchmarks. */
function takeNumbers(): number {
  const first = nextNumber;
  nextNumber += 10_000_000;
  return first;
}

export async function runLoad(
  cluster: BenchCluster,
  job: Omit<LoadJob, 'targets' | 'token' | 'firstNumber'>,
): Promise<LoadResult> {
  const whole: LoadJob = {
    ...job,
    targets: cluster.nodes.map(({ host, port }) => ({ host, port })),
    token: cluster.token,
    firstNumber: takeNumbers(),
  };
  const child = spawn(process.execPath, [program, JSON.stringify(whole)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: longestMs,
    killSignal: 'SIGKILL',
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`the load generator ended with ${code}`);
  const result = JSON.parse(output) as LoadResult;
  if (result.acknowledgedInAll === 0) {
    throw new Error(`no submit was acknowledged: ${result.refusals.join(' | ') || 'no answer'}`);
  }
  return result;
}
