/** Commands of the registry about what tiers give and tenants may, as data. See `command.ts`. */
import { type ByteReader, type ByteWriter, DecodeError } from '../model/bytes.ts';
import { readPairs, writePairs } from '../model/pairs.ts';
import type { PlanValues } from '../model/plan.ts';
import { type Tier, tiers } from '../model/resources.ts';
import type { TierChange } from '../model/tiers.ts';
import { numberOf, readTierChanges, writeTierChanges } from './fields.ts';

export type AllowanceBody =
  | {
      /** What a tier gives to the tasks that are submitted from now on. */
      readonly kind: 'setTier';
      readonly tier: Tier;
      readonly changes: readonly TierChange[];
    }
  | {
      /** Makes a tenant, or with `isNew` false gives one that there is another plan. */
      readonly kind: 'putTenant';
      readonly name: string;
      readonly plan: string;
      readonly isNew: boolean;
    }
  | {
      /** Without values, what was set of the plan is forgotten. */
      readonly kind: 'putPlan';
      readonly name: string;
      readonly values?: PlanValues | undefined;
    };

type AllowanceKind = AllowanceBody['kind'];

export const allowanceKindNumbers: Readonly<Record<AllowanceKind, number>> = {
  setTier: 12,
  putTenant: 24,
  putPlan: 25,
};

export function writeAllowance(writer: ByteWriter, command: AllowanceBody): void {
  switch (command.kind) {
    case 'setTier':
      writer.u8(numberOf(tiers, command.tier, 'tier'));
      writeTierChanges(writer, command.changes);
      break;
    case 'putTenant':
      writer.text(command.name).text(command.plan).bool(command.isNew);
      break;
    case 'putPlan':
      writer.text(command.name).optional(command.values, writePairs);
      break;
  }
}

export function readAllowance(reader: ByteReader, kind: AllowanceKind): AllowanceBody {
  switch (kind) {
    case 'setTier': {
      const tier = tiers[reader.u8()];
      if (tier === undefined) throw new DecodeError('unknown tier');
      return { kind, tier, changes: readTierChanges(reader) };
    }
    case 'putTenant':
      return { kind, name: reader.text(), plan: reader.text(), isNew: reader.bool() };
    case 'putPlan':
      return { kind, name: reader.text(), values: reader.optional(readPairs) };
  }
}
