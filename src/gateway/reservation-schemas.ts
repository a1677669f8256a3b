/** JSON schemas of what the API answers about reservations. */
import { described, flag, instant, listOf, object, resources, text } from './schemas.ts';

export const reservationSchema = object({
  name: text,
  tenant: text,
  by: described(text, 'Name of the token that made it.'),
  createdAtMs: instant,
  untilMs: instant,
  amount: described(resources, 'Held on each of its nodes.'),
  parts: listOf(
    object({
      node: text,
      nodeName: text,
      held: described(flag, 'False once the node is draining, dead or removed.'),
      'used?': described(resources, 'By tasks that name it, where the node was heard of lately.'),
    }),
  ),
});

export const reservationsSchema = object({ reservations: listOf(reservationSchema) });
