/** Reservations: room that is held for a tenant until a date. */
import { limits } from '../../model/limits.ts';
import { boundTenant, tokenIn } from '../access.ts';
import { ProblemError, problemOfDocument } from '../problem.ts';
import { readReservationDocument, reservationFields } from '../reservation-document.ts';
import { reservationSchema, reservationsSchema } from '../reservation-schemas.ts';
import { identityOf, paramOf, type Route } from '../route.ts';
import { emptySchema, problemSchema } from '../schemas.ts';

export const reservationsRoute: Route = {
  method: 'GET',
  path: '/v1/reservations',
  role: 'reader',
  tag: 'cluster',
  summary: 'List reservations',
  description:
    "Those that are not over, of the token's tenant, or of all for an administrator; what is held " +
    'on which node, and how much of it tasks use.',
  schema: { response: { 200: reservationsSchema } },
  run: async (request, _reply, gateway) => ({
    reservations: gateway.api.reservations(boundTenant(identityOf(request))),
  }),
};

export const reserveRoute: Route = {
  method: 'POST',
  path: '/v1/reservations',
  role: 'admin',
  tag: 'cluster',
  summary: 'Hold room for a tenant',
  description:
    'On the nodes that are named, or on the fitting ones with the most room that nobody has ' +
    'reserved. No other task is placed in it; what runs there now may end first. It ends by itself ' +
    'at its date. The same request again changes nothing.',
  schema: {
    body: { type: 'object', additionalProperties: false, properties: reservationFields },
    response: {
      201: reservationSchema,
      400: problemSchema,
      409: problemSchema,
      422: problemSchema,
    },
  },
  validation: 'own',
  bodyBytesMax: 4 * limits.envBytesMax,
  async run(request, reply, gateway) {
    const { tenant } = identityOf(request);
    const reading = readReservationDocument(request.body, { tenant, nowMs: Date.now() });
    if (!reading.ok) throw new ProblemError(problemOfDocument(reading.problems));
    const made = await gateway.api.reserve(reading.ask, tokenIn(request.headers.authorization));
    reply.code(201);
    return made;
  },
};

export const releaseRoute: Route = {
  method: 'POST',
  path: '/v1/reservations/:name/release',
  role: 'admin',
  tag: 'cluster',
  summary: 'Release a reservation',
  description: 'Its room is free for all again; tasks that run in it go on.',
  schema: {
    params: {
      type: 'object',
      properties: { name: { type: 'string', maxLength: limits.nameBytesMax } },
    },
    response: { 202: emptySchema, 404: problemSchema },
  },
  async run(request, reply, gateway) {
    const token = tokenIn(request.headers.authorization);
    await gateway.api.releaseReservation(paramOf(request, 'name'), token);
    reply.code(202);
    return { accepted: true };
  },
};
