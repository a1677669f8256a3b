/**
 * `npm run conformance -- --dir DIR`: runs data-driven Raft test files (etcd-io/raft's format) from
 * any folder against the core, in strict mode. Exit code 0 if all pass, 1 if any differs or there
 * is nothing to run, 2 for wrong usage.
 */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { rewriteFile, runFolder, wordReport } from '../test/conformance/etcd-raft/report.ts';
import { listFiles } from '../test/conformance/etcd-raft/runner.ts';

const HELP = `Usage: npm run conformance -- --dir DIR

Runs every .txt file below DIR against the Raft core: quorum arithmetic, membership changes, and
transcripts of whole clusters. Expected and actual output are compared record by record; lines that
only word a log message do not count.

  --dir DIR    folder with data-driven files, searched recursively
  --rewrite    replace what the files expect by what comes out (for our own transcripts only)
  --help       this text

Exit code: 0 all files pass, 1 a file differs or there is none, 2 wrong usage.
`;

/** Runs the command; returns the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const options = {
    dir: { type: 'string' },
    rewrite: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  } as const;
  let values: { dir?: string | undefined; rewrite: boolean; help: boolean };
  try {
    values = parseArgs({ args: [...argv], options }).values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
    return 2;
  }
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const { dir } = values;
  if (dir === undefined) {
    process.stderr.write(`--dir is missing\n\n${HELP}`);
    return 2;
  }
  if (!existsSync(dir) || !statSync(dir).isDirectory()) {
    process.stderr.write(`no such folder: ${dir}\n`);
    return 1;
  }
  if (values.rewrite) for (const path of listFiles(dir)) rewriteFile(join(dir, path));
  const report = runFolder(dir);
  if (report.files.length === 0) {
    process.stderr.write(`no .txt files in ${dir}\n`);
    return 1;
  }
  process.stdout.write(`${wordReport(report)}\n`);
  return report.failed.length === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
