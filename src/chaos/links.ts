/**
 * What faults of the network mean for single links: pure. A link is one direction between two
 * nodes, numbered from 1; where several faults hit one, it suffers all of them.
 */
import type { FaultKind } from './fault-kinds.ts';
import type { FaultOptions } from './scenario.ts';

export interface LinkRule {
  readonly cut: boolean;
  readonly delayMs: number;
  readonly jitterMs: number;
  readonly lossPercent: number;
  readonly doublePercent: number;
  /** Bytes a second; 0 is no bound. */
  readonly rate: number;
}

/** A fault of the network that is on at present. */
export interface LinkFault {
  readonly kind: FaultKind;
  readonly nodes: readonly number[];
  readonly options: FaultOptions;
}

const whole: LinkRule = {
  cut: false,
  delayMs: 0,
  jitterMs: 0,
  lossPercent: 0,
  doublePercent: 0,
  rate: 0,
};

/** Rules of all links that suffer something, in the order of their nodes. */
export function linkRules(
  nodes: number,
  faults: readonly LinkFault[],
): { readonly from: number; readonly to: number; readonly rule: LinkRule }[] {
  const rules: { from: number; to: number; rule: LinkRule }[] = [];
  for (let from = 1; from <= nodes; from++) {
    for (let to = 1; to <= nodes; to++) {
      if (from === to) continue;
      const effects = faults
        .map(fault => effectOn(fault, from, to, nodes))
        .filter(effect => effect !== undefined);
      if (effects.length > 0) rules.push({ from, to, rule: effects.reduce(both, whole) });
    }
  }
  return rules;
}

function effectOn(
  { kind, nodes: hit, options }: LinkFault,
  from: number,
  to: number,
  nodes: number,
): Partial<LinkRule> | undefined {
  const [fromHit, toHit] = [hit.includes(from), hit.includes(to)];
  const touches = fromHit || toHit;
  switch (kind) {
    case 'isolate':
      return touches ? { cut: true } : undefined;
    case 'partition':
      return fromHit !== toHit ? { cut: true } : undefined;
    case 'oneWay':
      return fromHit && !toHit ? { cut: true } : undefined;
    case 'bridge': {
      const half = (node: number): number => halfOf(node, hit, nodes);
      return !touches && half(from) !== half(to) ? { cut: true } : undefined;
    }
    case 'delay':
      return touches ? { delayMs: options.delayMs, jitterMs: options.jitterMs } : undefined;
    case 'loss':
      return touches ? { lossPercent: options.percent } : undefined;
    case 'duplicate':
      return touches ? { doublePercent: options.percent } : undefined;
    case 'slowLink':
      return touches ? { rate: options.rate } : undefined;
    default:
      return undefined;
  }
}

/** The half of the rest, 0 or 1, that a node belongs to while others are the bridge. */
function halfOf(node: number, bridge: readonly number[], nodes: number): number {
  const rest = Array.from({ length: nodes }, (_, place) => place + 1).filter(
    one => !bridge.includes(one),
  );
  return rest.indexOf(node) < Math.ceil(rest.length / 2) ? 0 : 1;
}

function both(one: LinkRule, other: Partial<LinkRule>): LinkRule {
  const { rate = 0 } = other;
  return {
    cut: one.cut || other.cut === true,
    delayMs: one.delayMs + (other.delayMs ?? 0),
    jitterMs: one.jitterMs + (other.jitterMs ?? 0),
    lossPercent: Math.max(one.lossPercent, other.lossPercent ?? 0),
    doublePercent: Math.max(one.doublePercent, other.doublePercent ?? 0),
    rate: one.rate === 0 || rate === 0 ? one.rate + rate : Math.min(one.rate, rate),
  };
}

/** The line that tells the switch. */
export const linkLine = (from: number, to: number, rule: LinkRule): string =>
  [
    ...['link', from, to, rule.cut ? 1 : 0, rule.delayMs, rule.jitterMs],
    ...[rule.lossPercent, rule.doublePercent, rule.rate],
  ].join(' ');
