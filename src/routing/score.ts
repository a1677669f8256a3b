/**
 * Weighted rendezvous hashing: every node has a score for every group, and a group's replicas
 * belong on the highest. Adding or removing a node changes only the groups for which it is among
 * the highest, about 1/n of them. Thaler and Ravishankar 1998; weights as in Schindelhauer and
 * Schomaker 2005: score = weight / -ln(h) with h uniform in (0, 1).
 *
 * Every machine has to come to the same order, so only operations that IEEE 754 fixes to the last
 * bit are used: the logarithm is summed here and not taken from the engine.
 */
import type { GroupId, NodeId } from '../model/ids.ts';
import { hashText, mix32 } from '../model/slots.ts';

/** Uses of the hash that must not agree with each other. */
export const purposes = { seat: 0x51ed270b, leader: 0x7f4a7c15 } as const;

/** Hash of a node, to be computed once. */
export const nodeHash = (node: NodeId): number => hashText(node);

/** Score of a node for a group; larger is better, 0 for a node of weight 0. */
export function scoreOf(hash: number, group: GroupId, weight: number, purpose: number): number {
  const mixed = mix32(hash ^ mix32(Math.imul(group + 1, 0x9e3779b1) ^ purpose));
  return weight / -naturalLog((mixed + 0.5) / 2 ** 32);
}

const termsMax = 23;

/** Natural logarithm of a number in (0, 1), to about 15 digits, equal on every machine. */
export function naturalLog(value: number): number {
  let exponent = 0;
  // Doubling is exact, so this loses nothing; at most 33 rounds for 32-bit hashes.
  while (value < 0.7) {
    value *= 2;
    exponent -= 1;
  }
  // ln m = 2 (y + y^3/3 + y^5/5 + ...) with y = (m - 1) / (m + 1), at most 0.18 here.
  const y = (value - 1) / (value + 1);
  const square = y * y;
  let power = y;
  let sum = 0;
  for (let odd = 1; odd <= termsMax; odd += 2) {
    sum += power / odd;
    power *= square;
  }
  return 2 * sum + exponent * Math.LN2;
}
