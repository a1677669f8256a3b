/**
 * The manifest of all commands, which spares help and suggestions from loading every one of them.
 * The build runs this file with Node once it is compiled: `node dist/cli/manifest.js`.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Plugin } from '@oclif/core';
import { oclifOptions } from './main.ts';

/** Every command as oclif caches it. Throws where one cannot be loaded. */
async function makeManifest(): Promise<Plugin['manifest']> {
  const { root, pjson } = oclifOptions();
  const plugin = new Plugin({
    root,
    ...(pjson === undefined ? {} : { pjson }),
    isRoot: true,
    ignoreManifest: true,
    errorOnManifestCreate: true,
    respectNoCacheDefault: true,
  });
  await plugin.load();
  return plugin.manifest;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const file = join(oclifOptions().root, 'oclif.manifest.json');
  writeFileSync(file, `${JSON.stringify(await makeManifest())}\n`);
}
