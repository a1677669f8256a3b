/** Equality of registry values: their bytes, so that no field can be forgotten. */
import { ByteWriter } from '../model/bytes.ts';
import { writeRegistration, writeSeat } from './fields.ts';
import type { NodeRegistration, ReplicaSeat } from './state.ts';

function sameBytes(left: ByteWriter, right: ByteWriter): boolean {
  const a = left.finish();
  const b = right.finish();
  return a.length === b.length && a.every((byte, position) => byte === b[position]);
}

export function sameRegistration(left: NodeRegistration, right: NodeRegistration): boolean {
  const a = new ByteWriter(256);
  const b = new ByteWriter(256);
  writeRegistration(a, left);
  writeRegistration(b, right);
  return sameBytes(a, b);
}

export function sameSeats(left: readonly ReplicaSeat[], right: readonly ReplicaSeat[]): boolean {
  return sameBytes(
    new ByteWriter(64).list(left, writeSeat),
    new ByteWriter(64).list(right, writeSeat),
  );
}
