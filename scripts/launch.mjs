/**
 * The entry of every npm script, written for whatever Node a machine has: it installs what is
 * missing, then hands over to `main.ts` under the Node version that the project pins.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const at = name => join(root, name);

/** npm leaves this file when an installation is complete. */
const installed = at('node_modules/.package-lock.json');

function mustInstall() {
  if (!existsSync(installed)) return true;
  const lock = readFileSync(at('package-lock.json'), 'utf8');
  const stamp = at('node_modules/.tsched-lock');
  if (existsSync(stamp)) return readFileSync(stamp, 'utf8') !== lock;
  return statSync(at('package-lock.json')).mtimeMs > statSync(installed).mtimeMs;
}

function install() {
  console.log('installing the packages of package-lock.json');
  const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: 'inherit',
  });
  if (npm.status !== 0) {
    console.error('error: `npm ci` failed; the lines above say why');
    process.exit(1);
  }
  writeFileSync(at('node_modules/.tsched-lock'), readFileSync(at('package-lock.json')));
  const now = new Date();
  utimesSync(installed, now, now);
}

/** The Node that the project pins as a dependency; else this one, where it is new enough. */
function pinnedNode() {
  const pinned = at('node_modules/node/bin/node');
  if (existsSync(pinned)) return pinned;
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 18)) return process.execPath;
  console.error(
    `error: tsched needs Node 22.18 or newer, this is ${process.versions.node}, and the pinned one ` +
      'is not in node_modules (npm did not run its install script)\n' +
      '  try: npm rebuild node',
  );
  return process.exit(1);
}

if (mustInstall()) install();
const node = pinnedNode();
const child = spawn(node, [at('scripts/main.ts'), ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, PATH: `${dirname(node)}:${at('node_modules/.bin')}:${process.env.PATH}` },
});
// Ctrl-C reaches it too; the prompt must not be back before all that runs has ended in order.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => child.kill('SIGTERM'));
// npm ends its shell and nothing else when it is ended: that this process has lost its parent is
// told by the parent's id alone.
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) child.kill('SIGTERM');
}, 500).unref();
child.once('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
