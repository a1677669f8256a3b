/**
 * putTemplate: a new revision of a template, which is the first where there was none of that name.
 * Its document was read by the node that took it; here it is a text. Replies: ok with the revision;
 * repeated where the newest revision says exactly this; `templateTaken` and `templateChanged` where
 * another revision is the newest than was expected; `unknownTemplate`; `unknownTenant`;
 * `badRequest` (malformed, too many, too large).
 */
import { limits } from '../../model/limits.ts';
import { wrongName } from '../check.ts';
import type { RegistryCommandOf } from '../command.ts';
import { type RegistryEffect, type RegistryReply, type RegistryState, refused } from '../state.ts';
import type { TemplateText } from '../templates.ts';
import { tenantOf } from '../tenants.ts';

export function applyPutTemplate(
  state: RegistryState,
  { template, expected, actor, atMs }: RegistryCommandOf<'putTemplate'>,
  effects: RegistryEffect[],
): RegistryReply {
  const { templates } = state;
  const { tenant, name } = template;
  const wrong = wrongTemplate(template);
  if (wrong !== undefined) return refused('badRequest', wrong);
  if (tenantOf(state, tenant) === undefined) {
    return refused('unknownTenant', `there is no tenant ${tenant}`);
  }
  const newest = templates.revisions(tenant, name).at(-1);
  const before = newest?.revision ?? 0;
  if (newest?.document === template.document && newest.description === template.description) {
    return { ok: true, repeated: true, revision: before };
  }
  if (expected !== undefined && expected !== before) return otherThan(expected, before, name);
  const full = noRoom(state, template);
  if (full !== undefined) return refused('badRequest', full);
  const { revision } = templates.add(template, actor.name, atMs);
  effects.push({ kind: 'templatesChanged' });
  return { ok: true, repeated: false, revision };
}

function otherThan(expected: number, before: number, name: string): RegistryReply {
  if (before === 0) return refused('unknownTemplate', `there is no template ${name}`);
  return expected === 0
    ? refused('templateTaken', `template ${name} has ${before} as its newest revision`)
    : refused('templateChanged', `the newest revision of ${name} is ${before}, not ${expected}`);
}

function wrongTemplate({ tenant, name, description, document }: TemplateText): string | undefined {
  const wrong = wrongName(tenant, 'tenant') ?? wrongName(name, 'template name');
  if (wrong !== undefined) return wrong;
  if (description.length > limits.templateDescriptionBytesMax) return 'the description is too long';
  return document.length > limits.templateBytesMax
    ? `the template is ${document.length} characters long; at most ${limits.templateBytesMax} are allowed`
    : undefined;
}

function noRoom({ templates }: RegistryState, template: TemplateText): string | undefined {
  const { tenant, name } = template;
  const revisions = templates.revisions(tenant, name).length;
  if (revisions === 0 && templates.size >= limits.templatesMax) {
    return `there are ${limits.templatesMax} templates already: delete one`;
  }
  if (revisions >= limits.templateRevisionsMax) {
    return (
      `there are ${limits.templateRevisionsMax} revisions of ${name} already: ` +
      `delete one with \`tsched template delete ${name} --revision N\``
    );
  }
  return templates.bytes + template.document.length > limits.templatesBytesMax
    ? `all templates together would be over ${limits.templatesBytesMax} bytes: delete some`
    : undefined;
}
