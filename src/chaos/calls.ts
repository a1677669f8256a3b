/** Requests to the HTTP API of single nodes, with a bound on their time. */

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** Asks the node at `HOST:PORT`; rejects where no answer comes in time. */
export async function callNode(
  address: string,
  token: string,
  path: string,
  options: { readonly body?: unknown; readonly limitMs?: number | undefined } = {},
): Promise<Answer> {
  const { body, limitMs = 10_000 } = options;
  const response = await fetch(`http://${address}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(limitMs),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
}

/** Where a client has come to in the events, and until when it reads on. */
export interface EventsFrom {
  readonly cursor: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * Follows the events of a node behind a cursor, or from now on; what it says ends with the signal.
 */
export function openEvents(
  address: string,
  token: string,
  { cursor, signal }: EventsFrom,
): Promise<Response> {
  return fetch(`http://${address}/v1/events`, {
    headers: {
      authorization: `Bearer ${token}`,
      accept: 'text/event-stream',
      ...(cursor === undefined ? {} : { 'last-event-id': cursor }),
    },
    signal,
  });
}
