/** What this machine lacks for which faults, found out by doing each of them once, small. */
import { smallDiskMissing, syscallDelayMissing } from './disks.ts';
import { type Ability, type FaultKind, kindRow } from './fault-kinds.ts';
import { guestMissing } from './guest-ability.ts';
import { memoryLimitMissing } from './memory-limit.ts';
import { networkMissing } from './network.ts';
import type { Scenario } from './scenario.ts';

const probes: Readonly<Record<Ability, () => Promise<string | undefined>>> = {
  network: networkMissing,
  smallDisk: smallDiskMissing,
  syscallDelay: syscallDelayMissing,
  memoryLimit: memoryLimitMissing,
  guest: guestMissing,
};

export interface Lack {
  readonly kind: FaultKind;
  readonly reason: string;
}

/** Kinds of faults that a scenario may inflict, each once. */
export const kindsOf = (scenario: Scenario): FaultKind[] => [
  ...new Set([...scenario.faults.map(fault => fault.kind), ...(scenario.random?.kinds ?? [])]),
];

/** Abilities that a list of kinds needs. */
export const abilitiesOf = (kinds: readonly FaultKind[]): Set<Ability> =>
  new Set(kinds.map(kind => kindRow(kind).needs).filter(need => need !== undefined));

/** Probes what the kinds need and tells those that cannot be inflicted here. */
export async function findLacks(kinds: readonly FaultKind[]): Promise<Lack[]> {
  const reasons = new Map<Ability, string>();
  // One after the other: each of them makes and removes something.
  for (const ability of abilitiesOf(kinds)) {
    const reason = await probes[ability]();
    if (reason !== undefined) reasons.set(ability, reason);
  }
  return kinds.flatMap(kind => {
    const { needs } = kindRow(kind);
    const reason = needs === undefined ? undefined : reasons.get(needs);
    return reason === undefined ? [] : [{ kind, reason }];
  });
}
