/** `tsched reserve create`: holds room on nodes for a tenant until a date. */
import { string as stringArg } from '@oclif/core/args';
import { string } from '@oclif/core/flags';
import { BaseCommand } from '../../base-command.ts';
import { usageError } from '../../cli-error.ts';
import { exitCodeText } from '../../exit-codes.ts';
import { readPairs } from '../../input/values.ts';
import type { ReservationRow } from '../../wire.ts';

const many = { multiple: true, multipleNonGreedy: true } as const;
const amounts = ['cpu', 'memory', 'disk', 'iops', 'bandwidth', 'ports'] as const;
const counted: readonly string[] = ['iops', 'ports', 'count'];

const otherNames: Readonly<Record<string, string>> = { '/name': 'NAME', '/nodes': '--node' };

export default class ReserveCreate extends BaseCommand {
  static override summary = 'Hold room on nodes for a tenant until a date.';
  static override description =
    'On the nodes that --node names, or on --count nodes that fit, those with the most room that ' +
    'nobody has reserved. Amounts are held on each of them. No other task is placed in that room; ' +
    'what runs there now may end first. Tasks of the tenant ask for it with --reservation NAME. It ' +
    `ends by itself at its date. Needs an admin token.\n\n${exitCodeText([0, 1, 2, 6, 7, 8])}`;
  static override usage = 'reserve create NAME [flags]';
  static override examples = [
    '<%= config.bin %> reserve create nightly --cpu 4 --memory 8GiB --count 2 --for 30d',
    '<%= config.bin %> reserve create gpu --cpu 8 --memory 32GiB --node node-a --until 2027-03-01',
    '<%= config.bin %> submit --reservation nightly -- ./report.sh',
  ];
  static override args = {
    name: stringArg({ description: 'what tasks ask for it by', required: true, ignoreStdin: true }),
  };
  static override flags = {
    cpu: string({ description: 'CPUs held on each node', helpValue: 'CPUS' }),
    memory: string({ description: 'memory held on each node', helpValue: 'SIZE' }),
    disk: string({ description: 'disk held on each node', helpValue: 'SIZE' }),
    iops: string({ description: 'disk operations a second held on each node', helpValue: 'N' }),
    bandwidth: string({ description: 'network bytes a second held', helpValue: 'SIZE' }),
    ports: string({ description: 'TCP ports held on each node', helpValue: 'N' }),
    until: string({
      description: 'when it ends: 2027-03-01, 2027-03-01T06:00Z',
      helpValue: 'DATE',
    }),
    for: string({ description: 'in place of --until: 7d, 12h', helpValue: 'DURATION' }),
    node: string({ description: 'node by name or ID; repeatable', helpValue: 'NODE', ...many }),
    count: string({ description: 'on so many nodes that fit; 1 unless given', helpValue: 'N' }),
    tier: string({ description: 'least tier of a node that fits', helpValue: 'TIER' }),
    require: string({
      description: 'label of a node that fits; repeatable',
      helpValue: 'K=V',
      ...many,
    }),
    tenant: string({ description: "whose tasks may use it; the token's tenant unless given" }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ReserveCreate);
    if (args.name === undefined) throw usageError('say what the reservation is called');
    const body: Record<string, unknown> = { name: args.name };
    for (const name of [...amounts, 'until', 'for', 'count', 'tier', 'tenant'] as const) {
      const value = flags[name];
      if (value === undefined) continue;
      body[name] = counted.includes(name) && /^\d{1,15}$/.test(value) ? Number(value) : value;
    }
    if (flags.node !== undefined) body['nodes'] = flags.node;
    if (flags.require !== undefined) {
      body['require'] = Object.fromEntries(readPairs('require', flags.require));
    }
    const [client, { flagOfField, placingOf }] = await Promise.all([
      this.connect(flags),
      import('../../input/places.ts'),
    ]);
    const { body: made } = await client.call<ReservationRow>({
      method: 'POST',
      path: '/v1/reservations',
      body,
      repeatable: true,
      place: placingOf({ value: {} }, body, at => otherNames[at] ?? flagOfField(at)),
    });
    const { renderReservations } = await import('../../output/reservations.ts');
    this.printIds([made.name]);
    this.print(renderReservations([made], this.screen));
    return made;
  }
}
