/** Pausing the placement of a tenant's tasks, or of all, and what of that is in force. */
import { TschedError } from '../model/errors.ts';
import type { PlacementPause } from '../model/task.ts';
import type { ControlApi } from '../ports/control-api.ts';
import { byText } from '../registry/order.ts';
import { everyTenant } from '../registry/pauses.ts';
import { pausesIn } from './attempt-wishes.ts';
import type { NodeContext } from './context.ts';
import type { RegistryClient } from './registry-client.ts';
import { untilShown } from './until-shown.ts';

export function placementVerbs(parts: {
  readonly context: NodeContext;
  readonly registry: RegistryClient;
}): Pick<ControlApi, 'pauses' | 'pausePlacement'> {
  const { context, registry } = parts;
  const pauses = (): PlacementPause[] =>
    [...pausesIn(context)]
      .map(([tenant, pause]) => ({ tenant, ...pause }))
      .sort((left, right) => byText(left.tenant, right.tenant));
  return {
    pauses,
    async pausePlacement(tenant, { on, suspend, reason }, token) {
      const machine = registry.machine();
      const isNobody = tenant !== everyTenant && machine?.tenant(tenant) === undefined;
      if (!on && isNobody && !pausesIn(context).has(tenant)) {
        throw new TschedError('unknownTenant', `there is no tenant ${tenant}`);
      }
      await registry.administer(
        { kind: 'pausePlacement', scope: tenant, on, suspend, reason },
        token,
      );
      const wanted = on ? suspend : undefined;
      await untilShown(context.clock, () => pausesIn(context).get(tenant)?.suspend === wanted);
      return pauses();
    },
  };
}
