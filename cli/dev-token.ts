/** Finds the admin token of a development cluster, whose nodes keep their data side by side. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const fileName = 'admin.token';

/**
 * `DIR/admin.token`, else the first `DIR/*\/admin.token` by name; `undefined` where there is none.
 */
export function devTokenFile(dir: string): string | undefined {
  const own = join(dir, fileName);
  if (existsSync(own)) return own;
  if (!existsSync(dir)) return undefined;
  return readdirSync(dir)
    .sort()
    .map(name => join(dir, name, fileName))
    .find(file => existsSync(file));
}
