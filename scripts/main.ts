/** All automation of the project: one program, one subcommand each. `npm run` is the menu. */

interface Subcommand {
  readonly summary: string;
  readonly load: () => Promise<{ main(argv: readonly string[]): Promise<number> }>;
}

const subcommands: Record<string, Subcommand> = {
  start: {
    summary: 'build what is missing and run `tsched dev`',
    load: () => import('./start.ts'),
  },
  test: { summary: 'run the tests', load: () => import('./test.ts') },
  check: {
    summary: 'format, lint, types, tests, build, end to end',
    load: () => import('./check.ts'),
  },
  chaos: {
    summary: 'break real clusters: all scenarios, or those named',
    load: () => import('./chaos.ts'),
  },
  e2e: { summary: 'run the end-to-end tests at full size', load: () => import('./e2e.ts') },
  build: { summary: 'compile to dist/', load: () => import('./build.ts') },
  format: { summary: 'format all sources', load: () => import('./format.ts') },
  sim: { summary: 'simulate clusters: --seed N --count M', load: () => import('./sim.ts') },
  'sim:mutants': {
    summary: 'let the simulator look for planted bugs: --only NAME',
    load: () => import('./sim-mutants.ts'),
  },
  soak: {
    summary: 'simulate for hours, or load real nodes: --minutes N [--cluster]',
    load: () => import('./soak.ts'),
  },
  conformance: {
    summary: 'run etcd-style data files: --dir DIR',
    load: () => import('./conformance.ts'),
  },
  bench: { summary: 'measure, with peers: --against etcd,slurm', load: () => import('./bench.ts') },
  study: {
    summary: 'place a trace on 100 and 1,000 simulated nodes, against the best there is',
    load: () => import('./study.ts'),
  },
  'dev-cluster': {
    summary: 'run `tsched dev` from the sources',
    load: () => import('./dev-cluster.ts'),
  },
  reference: { summary: 'write docs/reference/cli.md', load: () => import('./reference.ts') },
};

async function run(): Promise<number> {
  const [name, ...argv] = process.argv.slice(2);
  const subcommand = name === undefined ? undefined : subcommands[name];
  if (subcommand === undefined) {
    for (const [known, { summary }] of Object.entries(subcommands)) {
      console.log(`  npm run ${known.padEnd(12)} ${summary}`);
    }
    return name === undefined || name === '--help' ? 0 : 2;
  }
  const { main } = await subcommand.load();
  return main(argv);
}

process.exitCode = await run();
