/** Equality of registry values: their bytes, so that no field can be forgotten. */
import { ByteWriter, sameBytes } from '../model/bytes.ts';
import { writeRegistration, writeSeat } from './fields.ts';
import type { NodeRegistration, ReplicaSeat } from './state.ts';

export function sameRegistration(left: NodeRegistration, right: NodeRegistration): boolean {
  const a = new ByteWriter(256);
  const b = new ByteWriter(256);
  writeRegistration(a, left);
  writeRegistration(b, right);
  return sameBytes(a.finish(), b.finish());
}

export function sameSeats(left: readonly ReplicaSeat[], right: readonly ReplicaSeat[]): boolean {
  return sameBytes(
    new ByteWriter(64).list(left, writeSeat).finish(),
    new ByteWriter(64).list(right, writeSeat).finish(),
  );
}
