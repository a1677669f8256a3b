/** Templates: made, listed, shown, given new revisions, deleted. Running one is a submit. */
import { limits } from '../../model/limits.ts';
import { specDocumentSchema } from '../../model/spec-document.ts';
import type { JsonSchema } from '../../model/spec-fields.ts';
import { readTemplate } from '../../model/template.ts';
import { parameterTypes } from '../../model/template-parameters.ts';
import type { TemplateView } from '../../ports/control-api.ts';
import { boundTenant, seesTenant, tokenIn } from '../access.ts';
import { parseJson } from '../body.ts';
import { templateSchema, templatesSchema } from '../control-schemas.ts';
import { ProblemError, problemOfDocument, refuse } from '../problem.ts';
import { bodyOf, identityOf, paramOf, queryOf, type Route } from '../route.ts';
import { described, flag, object, problemSchema } from '../schemas.ts';

type Request = Parameters<Route['run']>[0];

const parameterSchema: JsonSchema = {
  anyOf: [
    { enum: parameterTypes },
    {
      type: 'object',
      additionalProperties: false,
      required: ['type'],
      properties: {
        type: { enum: parameterTypes },
        default: { type: ['string', 'number', 'boolean'] },
        description: { type: 'string', maxLength: limits.templateDescriptionBytesMax },
        values: { type: 'array', items: { type: 'string' }, maxItems: limits.templateEnumMax },
        min: { type: 'integer' },
        max: { type: 'integer' },
      },
    },
  ],
};

const textFields: Readonly<Record<string, JsonSchema>> = {
  description: { type: 'string', maxLength: limits.templateDescriptionBytesMax },
  parameters: { type: 'object', additionalProperties: parameterSchema },
  task: {
    ...specDocumentSchema,
    description: 'A task document in which ${name} stands for the value of a parameter.',
  },
};

const name: JsonSchema = { type: 'string', maxLength: limits.nameBytesMax };
const tenantField: JsonSchema = {
  type: 'string',
  description: "Whose it is; the token's tenant where it is left out.",
};
const params = { type: 'object', properties: { name }, required: ['name'] };

/** Whose template is meant: an administrator may name another tenant. */
function tenantOf(request: Request, given: unknown): string {
  const identity = identityOf(request);
  const tenant = typeof given === 'string' ? given : identity.tenant;
  if (seesTenant(identity, tenant)) return tenant;
  return refuse(
    'forbidden',
    `The token belongs to the tenant ${identity.tenant}, not to ${tenant}.`,
  );
}

/** The document of a template in the form in which it is kept. */
function textOf(body: Readonly<Record<string, unknown>>): {
  readonly description: string;
  readonly document: string;
} {
  const { description, parameters, task } = body;
  const reading = readTemplate({ description, parameters, task });
  if (!reading.ok) throw new ProblemError(problemOfDocument(reading.problems));
  const document = JSON.stringify({ parameters: parameters ?? {}, task });
  if (document.length > limits.templateBytesMax) {
    refuse(
      'tooLarge',
      `The template is ${document.length} characters long; at most ` +
        `${limits.templateBytesMax} are allowed.`,
    );
  }
  return { description: reading.template.description, document };
}

const shown = (view: TemplateView): unknown => {
  const { document, ...head } = view;
  return { ...head, ...(parseJson(Buffer.from(document), 'The template') as object) };
};

export const templatesRoute: Route = {
  method: 'GET',
  path: '/v1/templates',
  role: 'reader',
  tag: 'templates',
  summary: 'List templates',
  description: 'The newest revision of each; an administrator sees those of all tenants.',
  schema: { response: { 200: templatesSchema } },
  run: (request, _reply, gateway) => ({
    templates: gateway.api
      .templates(boundTenant(identityOf(request)))
      .map(({ document: _document, ...head }) => head),
  }),
};

export const templateRoute: Route = {
  method: 'GET',
  path: '/v1/templates/:name',
  role: 'reader',
  tag: 'templates',
  summary: 'Show a template',
  description: 'The newest revision, or the one that is asked for; a revision never changes.',
  schema: {
    params,
    querystring: {
      type: 'object',
      additionalProperties: false,
      properties: { revision: { type: 'integer', minimum: 1 }, tenant: tenantField },
    },
    response: { 200: templateSchema, 404: problemSchema },
  },
  run(request, _reply, gateway) {
    const { revision, tenant: given } = queryOf<{ revision?: number; tenant?: string }>(request);
    const tenant = tenantOf(request, given);
    const asked = paramOf(request, 'name');
    const all = gateway.api.templateRevisions(tenant, asked);
    const found = revision === undefined ? all.at(-1) : all.find(one => one.revision === revision);
    if (found !== undefined) return shown(found);
    const what = revision === undefined ? asked : `${asked}@${revision}`;
    return refuse('unknownTemplate', `There is no template ${what} of tenant ${tenant}.`);
  },
};

export const createTemplateRoute: Route = {
  method: 'POST',
  path: '/v1/templates',
  role: 'submitter',
  tag: 'templates',
  summary: 'Make a template',
  description: 'Revision 1 of it, or the next number where one of the name was deleted.',
  schema: {
    body: {
      type: 'object',
      additionalProperties: false,
      required: ['name', 'task'],
      properties: { name, tenant: tenantField, ...textFields },
    },
    response: { 201: templateSchema, 400: problemSchema, 409: problemSchema },
  },
  validation: 'own',
  async run(request, reply, gateway) {
    const { name: wanted, tenant, ...body } = bodyOf(request);
    if (typeof wanted !== 'string') {
      refuse('badSpec', 'A template has a `name`.', { field: '/name' });
    }
    const text = { tenant: tenantOf(request, tenant), name: wanted, ...textOf(body) };
    const token = tokenIn(request.headers.authorization);
    const made = await gateway.api.putTemplate(text, 0, token);
    reply.code(201);
    return shown(made);
  },
};

export const updateTemplateRoute: Route = {
  method: 'POST',
  path: '/v1/templates/:name',
  role: 'submitter',
  tag: 'templates',
  summary: 'Give a template a new revision',
  description:
    'With `expectedRevision`, only where that is the newest one still. What says the same as the ' +
    'newest makes none.',
  schema: {
    params,
    body: {
      type: 'object',
      additionalProperties: false,
      required: ['task'],
      properties: {
        expectedRevision: { type: 'integer', minimum: 1 },
        tenant: tenantField,
        ...textFields,
      },
    },
    response: { 200: templateSchema, 400: problemSchema, 404: problemSchema, 409: problemSchema },
  },
  validation: 'own',
  async run(request, _reply, gateway) {
    const { expectedRevision, tenant: given, ...body } = bodyOf(request);
    const tenant = tenantOf(request, given);
    const asked = paramOf(request, 'name');
    const newest = gateway.api.templateRevisions(tenant, asked).at(-1);
    if (newest === undefined) {
      return refuse('unknownTemplate', `There is no template ${asked} of tenant ${tenant}.`);
    }
    if (expectedRevision !== undefined && !Number.isSafeInteger(expectedRevision)) {
      refuse('badRequest', 'expectedRevision is a whole number.', { field: '/expectedRevision' });
    }
    const expected = (expectedRevision as number | undefined) ?? newest.revision;
    const text = { tenant, name: asked, ...textOf(body) };
    const token = tokenIn(request.headers.authorization);
    return shown(await gateway.api.putTemplate(text, expected, token));
  },
};

const droppedSchema = object({
  accepted: flag,
  repeated: described(flag, 'There was no such template, or revision.'),
});

export const deleteTemplateRoute: Route = {
  method: 'POST',
  path: '/v1/templates/:name/delete',
  role: 'submitter',
  tag: 'templates',
  summary: 'Delete a template, or one revision of it',
  description: 'Tasks that were made from it stay as they are. Deleting it again changes nothing.',
  schema: {
    params,
    body: {
      type: ['object', 'null'],
      additionalProperties: false,
      properties: { revision: { type: 'integer', minimum: 1 }, tenant: tenantField },
    },
    response: { 200: droppedSchema, 400: problemSchema, 403: problemSchema },
  },
  async run(request, _reply, gateway) {
    const { revision, tenant } = bodyOf(request) as { revision?: number; tenant?: string };
    const template = {
      tenant: tenantOf(request, tenant),
      name: paramOf(request, 'name'),
      revision,
    };
    const token = tokenIn(request.headers.authorization);
    const { repeated } = await gateway.api.dropTemplate(template, token);
    return { accepted: true, repeated };
  },
};
