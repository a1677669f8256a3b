/** What the tiers give, and changing that. */
import { tiers } from '../../model/resources.ts';
import { readTierDocument, tierDocumentSchema } from '../../model/tier-document.ts';
import type { TierBundles } from '../../model/tiers.ts';
import { tokenIn } from '../access.ts';
import { problemOfDocument, refuse } from '../problem.ts';
import { bodyOf, paramOf, type Route } from '../route.ts';
import { problemSchema, tiersSchema } from '../schemas.ts';

const listOf = (bundles: TierBundles) => ({
  tiers: tiers.map(tier => {
    const { amounts, capMsMax } = bundles[tier];
    return capMsMax === 0 ? { tier, amounts } : { tier, amounts, capMsMax };
  }),
});

export const tiersRoute: Route = {
  method: 'GET',
  path: '/v1/tiers',
  role: 'reader',
  tag: 'cluster',
  summary: 'List the tiers',
  description:
    'What each gives to tasks that name it and no amounts, and the ceiling of their cap.',
  schema: { response: { 200: tiersSchema } },
  run: (_request, _reply, gateway) => listOf(gateway.api.tiers()),
};

export const setTierRoute: Route = {
  method: 'POST',
  path: '/v1/tiers/:tier',
  role: 'admin',
  tag: 'cluster',
  summary: 'Change a tier',
  description:
    'For tasks that are submitted from now on; those that were keep what they were given. Fields ' +
    'that are left out stay as they are, null brings the default back.',
  schema: {
    params: {
      type: 'object',
      properties: { tier: { type: 'string', description: tiers.join(', ') } },
    },
    body: tierDocumentSchema,
    response: { 200: tiersSchema, 400: problemSchema, 403: problemSchema },
  },
  validation: 'own',
  async run(request, _reply, gateway) {
    const named = paramOf(request, 'tier');
    const tier = tiers.find(known => known === named);
    if (tier === undefined) {
      return refuse('badRequest', `There is no tier "${named}": it is one of ${tiers.join(', ')}.`);
    }
    const reading = readTierDocument(bodyOf(request));
    if (!reading.ok) {
      const { problems } = reading;
      const { detail, field } = problemOfDocument(problems);
      return refuse('badRequest', detail, { field, problems });
    }
    const token = tokenIn(request.headers.authorization);
    return listOf(await gateway.api.setTier(tier, reading.changes, token));
  },
};
