/**
 * What the tiers of a cluster give: amounts to tasks that name none of their own, and the ceiling
 * of the execution cap. Each cluster may change that; the registry keeps what was changed, and what
 * was not is the default of the program.
 */
import { type Resources, resourceNames, type Tier, tierDefaults, tiers } from './resources.ts';
import { formatDuration } from './time.ts';

export interface TierBundle {
  readonly amounts: Resources;
  /** Longest execution cap of its tasks, milliseconds; 0 for none. */
  readonly capMsMax: number;
}

export type TierBundles = Readonly<Record<Tier, TierBundle>>;

/** What can be set of a tier. Append-only: the number in the registry's log is the position. */
export const tierFields = [...resourceNames, 'capMsMax'] as const;
export type TierField = (typeof tierFields)[number];

/** What was set of a tier; what is missing is the default. */
export type TierValues = Readonly<Partial<Record<TierField, number>>>;

/** One change of a tier; without a value the default holds again. */
export interface TierChange {
  readonly field: TierField;
  readonly value?: number | undefined;
}

function bundleOf(tier: Tier, values: TierValues): TierBundle {
  const amounts = { ...tierDefaults[tier] };
  for (const name of resourceNames) amounts[name] = values[name] ?? amounts[name];
  return { amounts, capMsMax: values.capMsMax ?? 0 };
}

/** What holds where the registry has these values. */
export function tierBundles(valuesOf: (tier: Tier) => TierValues | undefined): TierBundles {
  const entries = tiers.map(tier => [tier, bundleOf(tier, valuesOf(tier) ?? {})] as const);
  return Object.fromEntries(entries) as Record<Tier, TierBundle>;
}

/** Of a cluster that changed none. */
export const tierBundleDefaults: TierBundles = tierBundles(() => undefined);

/** For whoever reads a document without the cluster at hand: a tier gives and bounds nothing. */
export const unknownTiers: TierBundles = tierBundles(() =>
  Object.fromEntries(tierFields.map(name => [name, 0])),
);

/** Why a cap of so many milliseconds, 0 for none, is too long for the tier. */
export function overCeiling(tier: Tier, capMs: number, bundles: TierBundles): string | undefined {
  const { capMsMax } = bundles[tier];
  if (capMsMax === 0 || capMs <= capMsMax) return undefined;
  const [asked, most] = [formatDuration(capMs), formatDuration(capMsMax)];
  return `${asked} is above the ceiling of tier ${tier}, ${most}`;
}

/** `values` with the changes made. */
export function changeTier(values: TierValues, changes: readonly TierChange[]): TierValues {
  const changed: Partial<Record<TierField, number>> = { ...values };
  for (const { field, value } of changes) {
    if (value === undefined) delete changed[field];
    else changed[field] = value;
  }
  return changed;
}

const unbounded = (capMs: number): number => (capMs === 0 ? Number.POSITIVE_INFINITY : capMs);

/** The fields of which a tier gives less than the one below it. */
export function disorderOf(
  bundles: TierBundles,
): { readonly field: TierField; readonly lower: Tier; readonly higher: Tier }[] {
  const found: ReturnType<typeof disorderOf> = [];
  for (let rank = 1; rank < tiers.length; rank++) {
    const [lower, higher] = [tiers[rank - 1]!, tiers[rank]!];
    const [less, more] = [bundles[lower], bundles[higher]];
    for (const field of resourceNames) {
      if (less.amounts[field] > more.amounts[field]) found.push({ field, lower, higher });
    }
    if (unbounded(less.capMsMax) > unbounded(more.capMsMax)) {
      found.push({ field: 'capMsMax', lower, higher });
    }
  }
  return found;
}
