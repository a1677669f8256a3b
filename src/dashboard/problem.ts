/**
 * What goes wrong between the page and its node, in words. The node answers with problem documents
 * (`docs/reference/errors.md`); a node that does not answer at all is a problem of the same shape.
 */

export interface ProblemDocument {
  readonly status?: number;
  readonly code?: string;
  readonly detail?: string;
  readonly suggestion?: string;
}

export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** Of the error table; `noAnswer` where none came, `badAnswer` where it is not as agreed. */
  readonly code: string;
  readonly suggestion: string;

  constructor(code: string, detail: string, suggestion = '') {
    super(detail);
    this.code = code;
    this.suggestion = suggestion;
  }
}

/** The problem of an answer that is no success. `body` may be anything, as of a proxy. */
export function problemOfAnswer(status: number, body: string): ApiError {
  try {
    const { code, detail, suggestion } = JSON.parse(body) as ProblemDocument;
    if (typeof code === 'string') return new ApiError(code, detail ?? '', suggestion ?? '');
  } catch {
    // Not a problem document: the status has to do.
  }
  return new ApiError('badAnswer', `The node answered with status ${status}.`);
}

/** The problem of a request without an answer: the node is gone, or too slow. */
export const noAnswer = (): ApiError => new ApiError('noAnswer', 'This node does not answer.');

/** Sentences that say it better on a page than those for a terminal. */
const words: Readonly<Record<string, string>> = {
  noAnswer: 'This node does not answer; it may be stopped. The page asks again until it does.',
  unauthorized: 'The node refused the token.',
  starting: 'This node is starting and does not take tasks yet.',
  noQuorum: 'The shard has no majority: what lives in it stands still until enough nodes are back.',
  nodeUnreachable: 'The node that holds this cannot be reached now.',
  noOutput: 'There is no output yet.',
  cursorExpired: 'More has happened than is kept; the page starts anew.',
  alreadySettled: 'The task had settled before it could be cancelled.',
};

/** One or two sentences for a person. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof ApiError)) return `The page failed: ${String(error)}`;
  const known = words[error.code];
  if (known !== undefined) return known;
  return [error.message, error.suggestion].filter(text => text !== '').join(' ');
}
