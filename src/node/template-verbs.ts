/** Templates of tenants, as this node's copy of the registry has them, and changes of them. */
import { TschedError } from '../model/errors.ts';
import type { ControlApi } from '../ports/control-api.ts';
import type { NodeContext } from './context.ts';
import type { RegistryClient } from './registry-client.ts';
import { untilShown } from './until-shown.ts';

type Verbs = 'templates' | 'templateRevisions' | 'putTemplate' | 'dropTemplate';

export function templateVerbs(parts: {
  readonly context: NodeContext;
  readonly registry: RegistryClient;
}): Pick<ControlApi, Verbs> {
  const { context, registry } = parts;
  const revisions: ControlApi['templateRevisions'] = (tenant, name) =>
    registry.machine()?.templates().revisions(tenant, name) ?? [];
  return {
    templates: tenant =>
      (registry.machine()?.templates().newest() ?? []).filter(
        template => tenant === undefined || template.tenant === tenant,
      ),
    templateRevisions: revisions,
    async putTemplate(template, expected, token) {
      const { tenant, name } = template;
      const reply = await registry.administer({ kind: 'putTemplate', template, expected }, token);
      const made = () => revisions(tenant, name).find(one => one.revision === reply.revision);
      await untilShown(context.clock, () => made() !== undefined);
      const view = made();
      if (view !== undefined) return view;
      // Behind, or it was deleted by somebody else meanwhile.
      throw new TschedError('outcomeUnknown', `this node does not show template ${name} yet`);
    },
    async dropTemplate({ tenant, name, revision }, token) {
      const drop = { kind: 'dropTemplate', tenant, name, revision } as const;
      const { repeated } = await registry.administer(drop, token);
      await untilShown(context.clock, () => {
        const left = revisions(tenant, name);
        return revision === undefined
          ? left.length === 0
          : left.every(one => one.revision !== revision);
      });
      return { repeated };
    },
  };
}
