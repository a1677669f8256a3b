/** Errors as a person reads them, and as a program does. */
import type { CliError, PlacedProblem } from '../cli-error.ts';
import { paint, type Screen } from './screen.ts';
import { block } from './text.ts';

const idsShownMax = 20;

/** A line for the problem, indented, and those of its excerpt. */
export function renderProblem(problem: PlacedProblem, screen: Screen): string {
  const place = problem.place === '' ? '' : `${problem.place}: `;
  const lines: string[] = [];
  if (problem.message !== '') lines.push(`  ${place}${block(problem.message, screen)}`);
  if (problem.excerpt !== undefined) {
    lines.push(block(problem.excerpt, screen).replaceAll(/^/gm, '    '));
  }
  return lines.join('\n');
}

/** `error: what — cause`, the problems one by one, and `try: what to do`. */
export function renderFailure(failure: CliError, screen: Screen): string {
  const same = failure.sentence === '' || failure.sentence === failure.title;
  const what = same ? failure.title : `${failure.title} — ${block(failure.sentence, screen)}`;
  const lines = [`${paint(screen, 'red', 'error:')} ${what}`];
  for (const problem of failure.problems) lines.push(renderProblem(problem, screen));
  if (failure.ids.length > 0) {
    const shown = failure.ids.slice(0, idsShownMax).join(' ');
    const more = failure.ids.length - idsShownMax;
    lines.push(`  id: ${shown}${more > 0 ? ` and ${more} more` : ''}`);
  }
  if (failure.suggestion !== '') {
    lines.push(`  ${paint(screen, 'cyan', 'try:')} ${block(failure.suggestion, screen)}`);
  }
  return lines.join('\n');
}

/** `{error: {...}}`, what `--json` prints in place of a result. */
export function toFailureJson(failure: CliError): { readonly error: Record<string, unknown> } {
  const error: Record<string, unknown> = {
    code: failure.code,
    message:
      failure.sentence === '' || failure.sentence === failure.title
        ? failure.title
        : `${failure.title} — ${failure.sentence}`,
    suggestion: failure.suggestion,
    exit: failure.exit,
  };
  if (failure.field !== undefined) error['field'] = failure.field;
  if (failure.retryAfterMs !== undefined) error['retryAfterMs'] = failure.retryAfterMs;
  if (failure.problems.length > 0) error['problems'] = failure.problems;
  if (failure.ids.length > 0) error['ids'] = failure.ids;
  return { error };
}
