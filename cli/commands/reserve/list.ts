/** `tsched reserve list`: what is held for whom, and how much of it is used. */
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';
import type { ReservationRow } from '../../wire.ts';
import { listIn } from '../../wire-lists.ts';

export default class ReserveList extends BaseCommand {
  static override summary = 'List reservations with what is held and used.';
  static override description =
    "Those of the token's tenant; an admin token sees all. A node that drains, is dead or was " +
    `removed is shown as gone: its part has gone with it.\n\n${exitCodeText([0, 1, 2, 6])}`;
  static override usage = 'reserve list [flags]';
  static override examples = ['<%= config.bin %> reserve list'];

  override async run(): Promise<unknown> {
    const { flags } = await this.parse(ReserveList);
    const client = await this.connect(flags);
    const body = await client.get<unknown>('/v1/reservations');
    const reservations = listIn<ReservationRow>(body, 'reservations');
    const { renderReservations } = await import('../../output/reservations.ts');
    this.printIds(reservations.map(({ name }) => name));
    this.print(renderReservations(reservations, this.screen));
    return { reservations };
  }
}
