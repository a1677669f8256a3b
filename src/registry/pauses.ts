/**
 * Whose tasks are not placed until further notice: those of a tenant, or all. The planners of all
 * leaders go by it.
 */
import type { ByteReader, ByteWriter } from '../model/bytes.ts';
import type { PauseView, PlacementPause } from '../model/task.ts';

/** In the place of a tenant: all tasks of the cluster. No tenant has this name. */
export const everyTenant = '*';

/** By tenant, or `everyTenant`. */
export type Pauses = ReadonlyMap<string, PauseView>;

export const reasonBytesMax = 1_000;

export function writePause(writer: ByteWriter, pause: PauseView): void {
  writer.text(pause.by).varint(pause.atMs).text(pause.reason).bool(pause.suspend);
}

export const readPause = (reader: ByteReader): PauseView => ({
  by: reader.text(),
  atMs: reader.varint(),
  reason: reader.text(),
  suspend: reader.bool(),
});

/** What pauses the tasks of a tenant: what is of the whole cluster comes first. */
export function pauseOf(pauses: Pauses, tenant: string): PlacementPause | undefined {
  for (const scope of [everyTenant, tenant]) {
    const pause = pauses.get(scope);
    if (pause !== undefined) return { tenant: scope, ...pause };
  }
  return undefined;
}

/** Whether what runs of a tenant is to stand still. */
export const suspendsTenant = (pauses: Pauses, tenant: string): boolean =>
  pauses.get(everyTenant)?.suspend === true || pauses.get(tenant)?.suspend === true;
