/**
 * Errors as the API tells them: RFC 9457 problem documents with the stable codes of
 * `model/errors.ts`. Programs match on `code`; `detail` is a sentence for a person.
 */
import { type ErrorCode, errorTable, TschedError } from '../model/errors.ts';
import type { SpecProblem } from '../model/spec-reading.ts';

export interface Problem {
  /** `urn:tsched:error:<code>`. */
  readonly type: string;
  readonly title: string;
  /** Equal to the HTTP status of the response. */
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  readonly suggestion: string;
  /** JSON pointer, query parameter or header that it is about. */
  readonly field?: string | undefined;
  /** Everything that is wrong with a task document. */
  readonly problems?: readonly SpecProblem[] | undefined;
  readonly retryAfterMs?: number | undefined;
  /** ID that was drawn for the task: a repeat with it is safe. */
  readonly id?: string | undefined;
}

export type ProblemExtras = Pick<Problem, 'field' | 'problems' | 'retryAfterMs' | 'id'>;

/** What is full is to be left alone for a while, this long unless something better is known. */
const retryAfterDefaultMs = 1_000;

export function problemOf(code: ErrorCode, detail: string, extras: ProblemExtras = {}): Problem {
  const { title, http, suggestion } = errorTable[code];
  const full = code === 'overloaded' || code === 'tooManyTasks' || code === 'diskFull';
  const retryAfterMs = extras.retryAfterMs ?? (full ? retryAfterDefaultMs : undefined);
  return {
    type: `urn:tsched:error:${code}`,
    title,
    status: http,
    detail,
    code,
    suggestion,
    ...extras,
    retryAfterMs,
  };
}

/** A request that ends with a problem document. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

/** Throws a problem: `refuse('badRequest', 'limit must be ...', { field: 'limit' })`. */
export function refuse(code: ErrorCode, detail: string, extras?: ProblemExtras): never {
  throw new ProblemError(problemOf(code, detail, extras));
}

/** The one problem that stands for all that is wrong with a task document. */
export function problemOfDocument(problems: readonly SpecProblem[]): Problem {
  const first = problems[0];
  if (first === undefined) return problemOf('badSpec', 'The document is not valid.');
  const alike = problems.every(problem => problem.code === first.code);
  const place = first.pointer === '' ? '' : `${first.pointer}: `;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  return problemOf(alike ? first.code : 'badSpec', `${place}${first.message}${more}`, {
    field: first.pointer,
    problems,
  });
}

/** What fastify calls its own refusals, as far as they are the client's doing. */
interface FrameworkError {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly validation?: readonly {
    readonly instancePath?: string;
    readonly message?: string;
    readonly params?: { readonly additionalProperty?: string; readonly missingProperty?: string };
  }[];
  /** `params`, `querystring` or `body`. */
  readonly validationContext?: string;
}

/** What a schema refused, in words that name the field rather than the schema. */
function problemOfValidation(error: FrameworkError): Problem {
  const first = error.validation?.[0];
  const where = error.validationContext === 'body' ? 'body' : 'query';
  const unknown = first?.params?.additionalProperty;
  if (unknown !== undefined) {
    const field = where === 'body' ? `/${unknown}` : unknown;
    return problemOf('badRequest', `The ${where} has no field \`${unknown}\`.`, { field });
  }
  const path = first?.instancePath ?? '';
  const field = where === 'body' ? path : path.slice(1);
  const name = path === '' ? `The ${where}` : `\`${path.slice(1)}\``;
  return problemOf('badRequest', `${name} ${first?.message ?? 'is not valid'}.`, { field });
}

function problemOfFramework(error: FrameworkError): Problem | undefined {
  if (Array.isArray(error.validation)) return problemOfValidation(error);
  switch (error.code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return problemOf(
        'badRequest',
        'The body is not JSON: send `Content-Type: application/json`.',
      );
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
    case 'FST_ERR_BAD_URL':
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return problemOf('badRequest', String(error.message));
    default:
      return undefined;
  }
}

/**
 * The problem document of whatever was thrown, or `undefined` where it is a bug: the client is then
 * told `internal` and nothing else.
 */
export function problemOfError(error: unknown): Problem | undefined {
  if (error instanceof ProblemError) return error.problem;
  if (error instanceof TschedError) {
    const { field, retryAfterMs } = error.detail;
    return problemOf(error.code, error.message, { field, retryAfterMs });
  }
  if (typeof error !== 'object' || error === null) return undefined;
  return problemOfFramework(error);
}
