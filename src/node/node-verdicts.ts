/** What each node says to a demand, in words, with the age of what it advertised. */
import type { NodeId } from '../model/ids.ts';
import type { Demand, NodeView } from '../model/planning.ts';
import { sentence, verdicts } from '../placement/explain.ts';
import type { NodeVerdict } from '../ports/control-api.ts';

export function nodeVerdicts(
  demand: Demand,
  avoid: readonly NodeId[],
  views: readonly NodeView[],
  nowMs: number,
): NodeVerdict[] {
  const all = verdicts(demand, avoid, views, nowMs);
  return views.map(({ advertisement, ageMs }, position) => ({
    node: advertisement.node,
    name: advertisement.name,
    tier: advertisement.tier,
    advertAgeMs: Math.round(ageMs),
    verdict: all[position]!.verdict,
    sentence: sentence(all[position]!.verdict),
  }));
}
