/** Tenants, their plans and their tokens. A tenant's own token sees the tenant and nothing else. */

import { defaultTenant, newTenantPlan } from '../../model/plan.ts';
import type { Role } from '../../model/role.ts';
import { roles } from '../../model/role.ts';
import { seesTenant, tokenIn } from '../access.ts';
import { refuse } from '../problem.ts';
import { bodyOf, durationOf, identityOf, paramOf, type Route } from '../route.ts';
import { problemSchema } from '../schemas.ts';
import {
  madeTokenSchema,
  planSchema,
  plansSchema,
  tenantDetailSchema,
  tenantSchema,
  tenantsSchema,
  tokenSchema,
  tokensSchema,
} from '../tenant-schemas.ts';

const name = { type: 'string', minLength: 1, maxLength: 64 };
const nameParams = {
  type: 'object',
  properties: { name: { type: 'string', description: 'Name of the tenant or plan.' } },
  required: ['name'],
};
const yearMs = 366 * 86_400_000;

const textIn = (body: Readonly<Record<string, unknown>>, field: string): string | undefined =>
  typeof body[field] === 'string' ? body[field] : undefined;

export const tenantsRoute: Route = {
  method: 'GET',
  path: '/v1/tenants',
  role: 'reader',
  tag: 'tenants',
  summary: 'List tenants',
  description: 'By name, with their plans. Who is no administrator sees the own one only.',
  schema: { response: { 200: tenantsSchema } },
  run(request, _reply, gateway) {
    const identity = identityOf(request);
    const tenants = gateway.api.tenancy.tenants();
    return { tenants: tenants.filter(tenant => seesTenant(identity, tenant.name)) };
  },
};

export const tenantRoute: Route = {
  method: 'GET',
  path: '/v1/tenants/:name',
  role: 'reader',
  tag: 'tenants',
  summary: 'Show a tenant',
  description: 'Its plan, what that allows, and what its tasks hold now, over all shards.',
  schema: { params: nameParams, response: { 200: tenantDetailSchema, 404: problemSchema } },
  async run(request, _reply, gateway) {
    const asked = paramOf(request, 'name');
    if (!seesTenant(identityOf(request), asked)) {
      return refuse('unknownTenant', `There is no tenant ${asked}.`);
    }
    return await gateway.api.tenancy.tenant(asked);
  },
};

export const createTenantRoute: Route = {
  method: 'POST',
  path: '/v1/tenants',
  role: 'admin',
  tag: 'tenants',
  summary: 'Make a tenant',
  description: `Its plan is ${newTenantPlan} unless another is named.`,
  schema: {
    body: {
      type: 'object',
      additionalProperties: false,
      required: ['name'],
      properties: { name, plan: name },
    },
    response: { 201: tenantSchema, 400: problemSchema, 404: problemSchema, 409: problemSchema },
  },
  async run(request, reply, gateway) {
    const body = bodyOf(request);
    const bearer = tokenIn(request.headers.authorization);
    const plan = textIn(body, 'plan') ?? newTenantPlan;
    const made = await gateway.api.tenancy.createTenant(textIn(body, 'name') ?? '', plan, bearer);
    reply.code(201);
    return made;
  },
};

export const setTenantRoute: Route = {
  method: 'POST',
  path: '/v1/tenants/:name',
  role: 'admin',
  tag: 'tenants',
  summary: 'Give a tenant another plan',
  description: 'It holds within seconds. What runs already goes on.',
  schema: {
    params: nameParams,
    body: {
      type: 'object',
      additionalProperties: false,
      required: ['plan'],
      properties: { plan: name },
    },
    response: { 200: tenantSchema, 404: problemSchema },
  },
  async run(request, _reply, gateway) {
    const bearer = tokenIn(request.headers.authorization);
    const plan = textIn(bodyOf(request), 'plan') ?? '';
    return await gateway.api.tenancy.setTenant(paramOf(request, 'name'), plan, bearer);
  },
};

export const plansRoute: Route = {
  method: 'GET',
  path: '/v1/plans',
  role: 'admin',
  tag: 'tenants',
  summary: 'List plans',
  description: 'The built-in ones first, each with its limits as people read them.',
  schema: { response: { 200: plansSchema } },
  run: (_request, _reply, gateway) => ({ plans: gateway.api.tenancy.plans() }),
};

export const setPlanRoute: Route = {
  method: 'POST',
  path: '/v1/plans/:name',
  role: 'admin',
  tag: 'tenants',
  summary: 'Change a plan, or make one',
  description:
    'By name of the limit, such as `{"submitsPerSecond": "20", "memory": "16GiB"}`; `none` is no ' +
    'limit, an empty text brings back what is built in.',
  schema: {
    params: nameParams,
    body: {
      type: 'object',
      additionalProperties: { type: 'string', maxLength: 256 },
      maxProperties: 64,
    },
    response: { 200: planSchema, 400: problemSchema, 403: problemSchema },
  },
  async run(request, _reply, gateway) {
    const values = bodyOf(request) as Readonly<Record<string, string>>;
    const bearer = tokenIn(request.headers.authorization);
    return await gateway.api.tenancy.setPlan(paramOf(request, 'name'), values, bearer);
  },
};

export const resetPlanRoute: Route = {
  method: 'POST',
  path: '/v1/plans/:name/reset',
  role: 'admin',
  tag: 'tenants',
  summary: 'Forget what was set of a plan',
  description: 'A built-in plan is as it was; another is gone, and must not be that of a tenant.',
  schema: { params: nameParams, response: { 200: plansSchema, 400: problemSchema } },
  async run(request, _reply, gateway) {
    const bearer = tokenIn(request.headers.authorization);
    await gateway.api.tenancy.setPlan(paramOf(request, 'name'), undefined, bearer);
    return { plans: gateway.api.tenancy.plans() };
  },
};

export const tokensRoute: Route = {
  method: 'GET',
  path: '/v1/tokens',
  role: 'admin',
  tag: 'tenants',
  summary: 'List tokens',
  description: 'Whose they are and what they may do. The tokens themselves are not known here.',
  schema: { response: { 200: tokensSchema } },
  run: (_request, _reply, gateway) => ({ tokens: gateway.api.tenancy.tokens() }),
};

export const createTokenRoute: Route = {
  method: 'POST',
  path: '/v1/tokens',
  role: 'admin',
  tag: 'tenants',
  summary: 'Make a token',
  description:
    'The answer is the only place where the token is shown: the cluster keeps its hash. Roles are ' +
    'those of this API; an admin token sees every tenant and belongs to the default one.',
  schema: {
    body: {
      type: 'object',
      additionalProperties: false,
      required: ['name'],
      properties: {
        name: { type: 'string', minLength: 1, maxLength: 200 },
        tenant: name,
        role: { enum: roles, default: 'submitter' },
        expires: { type: 'string', description: 'A duration such as 90d; never, without it.' },
      },
    },
    response: { 201: madeTokenSchema, 400: problemSchema, 404: problemSchema },
  },
  async run(request, reply, gateway) {
    const body = bodyOf(request);
    const expires = textIn(body, 'expires');
    const expiresInMs =
      expires === undefined
        ? undefined
        : durationOf(expires, 'expires', { missing: 0, max: 100 * yearMs });
    const asked = {
      name: textIn(body, 'name') ?? '',
      tenant: textIn(body, 'tenant') ?? defaultTenant,
      role: (textIn(body, 'role') ?? 'submitter') as Role,
      expiresInMs,
    };
    const bearer = tokenIn(request.headers.authorization);
    const made = await gateway.api.tenancy.createToken(asked, bearer);
    reply.code(201).header('Cache-Control', 'no-store');
    return made;
  },
};

export const revokeTokenRoute: Route = {
  method: 'POST',
  path: '/v1/tokens/:name/revoke',
  role: 'admin',
  tag: 'tenants',
  summary: 'Revoke a token',
  description: 'By its ID, or its name. Every node refuses it within a second.',
  schema: {
    params: {
      type: 'object',
      properties: { name: { type: 'string', description: 'ID or name of the token.' } },
      required: ['name'],
    },
    response: { 200: tokenSchema, 403: problemSchema, 404: problemSchema },
  },
  async run(request, _reply, gateway) {
    const bearer = tokenIn(request.headers.authorization);
    return await gateway.api.tenancy.revokeToken(paramOf(request, 'name'), bearer);
  },
};
