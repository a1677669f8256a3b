/**
 * Documents that use a template become plain ones at the node that takes them: what is submitted,
 * scheduled or planned is the text of that moment, and says which revision it was.
 */
import { type DocumentMap, isMap } from '../model/document.ts';
import { readTemplate, resolveUse, type Template } from '../model/template.ts';
import { parseTemplateUse } from '../model/template-use.ts';
import type { ControlApi, TemplateView } from '../ports/control-api.ts';
import { parseJson } from './body.ts';
import { type Problem, problemOf, problemOfDocument } from './problem.ts';

export type TemplateSource = Pick<ControlApi, 'templateRevisions'>;

export type Resolved =
  | { readonly ok: true; readonly document: unknown }
  | { readonly ok: false; readonly problem: Problem };

/** The template that a stored text holds. It was read when it was stored. */
function templateIn(view: TemplateView): Template {
  const { document, description } = view;
  const stored = parseJson(Buffer.from(document), 'The template') as DocumentMap;
  const reading = readTemplate({ ...stored, description });
  if (!reading.ok) {
    const [first] = reading.problems;
    throw new Error(`template ${view.name}@${view.revision} cannot be read: ${first?.message}`);
  }
  return reading.template;
}

/** A document, with what a template makes in the place of its use. `tenant` is that of who asks. */
export function resolveTemplate(
  document: unknown,
  tenant: string,
  source: TemplateSource,
): Resolved {
  if (!isMap(document) || document['template'] === undefined) return { ok: true, document };
  const given = document['template'];
  const use = parseTemplateUse(given);
  if (use === undefined) {
    const message = 'must be the name of a template, or NAME@REVISION';
    return bad([{ pointer: '/template', code: 'badSpec', message }]);
  }
  const owner = typeof document['tenant'] === 'string' ? document['tenant'] : tenant;
  const revisions = source.templateRevisions(owner, use.name);
  const found =
    use.revision === undefined
      ? revisions.at(-1)
      : revisions.find(one => one.revision === use.revision);
  if (found === undefined) {
    const what =
      revisions.length === 0
        ? `there is no template ${use.name} of tenant ${owner}`
        : `template ${use.name} has no revision ${use.revision}: the newest is ` +
          `${revisions.at(-1)!.revision}`;
    return { ok: false, problem: problemOf('unknownTemplate', what, { field: '/template' }) };
  }
  const expansion = resolveUse(document, templateIn(found), found);
  return expansion.ok ? expansion : bad(expansion.problems);
}

/** The same for a document inside another, at `pointer`: places are told as those of the whole. */
export function resolveInside(
  inner: { readonly document: unknown; readonly pointer: string },
  tenant: string,
  source: TemplateSource,
): Resolved {
  const resolved = resolveTemplate(inner.document, tenant, source);
  if (resolved.ok) return resolved;
  const { problem } = resolved;
  const { pointer } = inner;
  if (problem.problems === undefined) {
    return { ok: false, problem: { ...problem, field: pointer + (problem.field ?? '') } };
  }
  return bad(problem.problems.map(one => ({ ...one, pointer: pointer + one.pointer })));
}

const bad = (problems: Parameters<typeof problemOfDocument>[0]): Resolved => ({
  ok: false,
  problem: problemOfDocument(problems),
});
