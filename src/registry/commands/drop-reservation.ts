/**
 * dropReservation: a reservation ends, released by an administrator, or with `over` because its
 * time has come. What runs in it goes on, as an ordinary task. Replies: ok; repeated where there is
 * none of that name; `badRequest` where it is said to be over and is not.
 */
import type { RegistryCommandOf } from '../command.ts';
import {
  accepted,
  type RegistryEffect,
  type RegistryReply,
  type RegistryState,
  refused,
  repeated,
} from '../state.ts';

export function applyDropReservation(
  state: RegistryState,
  { name, over, atMs }: RegistryCommandOf<'dropReservation'>,
  effects: RegistryEffect[],
): RegistryReply {
  const reservation = state.reservations.get(name);
  if (reservation === undefined) return repeated;
  if (over && reservation.untilMs > atMs) {
    return refused('badRequest', `the reservation ${name} is not over yet`);
  }
  state.dropReservation(name);
  effects.push({ kind: 'reservationsChanged' });
  return accepted;
}
