/** The commands of the registry that cluster version 3 brought: what they say, and their bytes. */
import { type ByteReader, type ByteWriter, DecodeError } from '../model/bytes.ts';
import { readPairs, writePairs } from '../model/pairs.ts';
import type { PlanValues } from '../model/plan.ts';
import type { ReservationAsk } from '../model/reservation.ts';
import { type Tier, tiers } from '../model/resources.ts';
import type { TierChange } from '../model/tiers.ts';
import { type ControlBody, readControl, writeControl } from './command-control.ts';
import { numberOf, readAsk, readTierChanges, writeAsk, writeTierChanges } from './fields.ts';

export type LaterBody =
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
    }
  /** Holds room for a tenant. */
  | { readonly kind: 'putReservation'; readonly ask: ReservationAsk }
  | {
      /** Ends one: released by somebody, or with `over` because its time has come. */
      readonly kind: 'dropReservation';
      readonly name: string;
      readonly over: boolean;
    }
  | ControlBody;

export function writeLaterBody(writer: ByteWriter, command: LaterBody): void {
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
    case 'putReservation':
      writeAsk(writer, command.ask);
      break;
    case 'dropReservation':
      writer.text(command.name).bool(command.over);
      break;
    case 'pausePlacement':
    case 'putTemplate':
    case 'dropTemplate':
      writeControl(writer, command);
      break;
  }
}

export function readLaterBody(reader: ByteReader, kind: LaterBody['kind']): LaterBody {
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
    case 'putReservation':
      return { kind, ask: readAsk(reader) };
    case 'dropReservation':
      return { kind, name: reader.text(), over: reader.bool() };
    case 'pausePlacement':
    case 'putTemplate':
    case 'dropTemplate':
      return readControl(reader, kind);
  }
}
