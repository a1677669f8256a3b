/** JSON schemas of what the API answers about tenants: the types of `ports/tenant-api.ts`. */
import { planFieldNames, planMeaning } from '../model/plan.ts';
import { roles } from '../model/role.ts';
import type { JsonSchema } from '../model/spec-fields.ts';
import { described, instant, listOf, object, text, whole } from './schemas.ts';

const limitsSchema = described(
  object(
    Object.fromEntries(planFieldNames.map(name => [name, described(text, planMeaning(name))])),
  ),
  'As people read them; `none` is no limit.',
);

const tenant = { name: text, plan: text, createdAtMs: instant };
export const tenantSchema: JsonSchema = object(tenant);
export const tenantsSchema: JsonSchema = object({ tenants: listOf(tenantSchema) });
export const tenantDetailSchema: JsonSchema = object({
  ...tenant,
  limits: limitsSchema,
  use: object({
    waiting: whole,
    running: described(whole, 'Assigned and running tasks.'),
    cpuMilli: whole,
    memoryBytes: whole,
  }),
  missingShards: described(listOf(whole), 'Shards that did not answer: their tasks are missing.'),
});

export const planSchema: JsonSchema = object({
  name: text,
  builtIn: { type: 'boolean' },
  limits: limitsSchema,
  tenants: described(whole, 'How many have it.'),
});
export const plansSchema: JsonSchema = object({ plans: listOf(planSchema) });

const token = {
  id: text,
  name: text,
  role: { enum: roles },
  tenant: text,
  'expiresAtMs?': instant,
};
export const tokenSchema: JsonSchema = object(token);
export const tokensSchema: JsonSchema = object({ tokens: listOf(tokenSchema) });
export const madeTokenSchema: JsonSchema = object({
  ...token,
  token: described(text, 'Shown here and never again.'),
});
