#!/usr/bin/env node
/**
 * The program `tsched`. Looks at the version of Node before anything is loaded that an older one
 * could not read, so that a system Node says what is missing in a sentence, not in a stack.
 */
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(
    `error: Node ${process.versions.node} is too old — tsched needs 22.18 or newer\n` +
      '  try: npx tsched, which uses the Node that is pinned in the project\n',
  );
  process.exit(1);
}

const { main } = await import('./main.ts');
await main(process.argv.slice(2));

export {};
