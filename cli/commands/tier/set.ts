/** `tsched tier set`: changes what a tier gives to tasks. */
import { string as stringArg } from '@oclif/core/args';
import { boolean, string } from '@oclif/core/flags';
import { type Tier, tiers } from '../../../src/model/resources.ts';
import { BaseCommand } from '../../base-command.ts';
import { usageError } from '../../cli-error.ts';
import { exitCodeText } from '../../exit-codes.ts';
import type { TierRow } from '../../wire.ts';
import { listIn } from '../../wire-lists.ts';

const fields = ['cpu', 'memory', 'disk', 'iops', 'bandwidth', 'ports', 'cap'] as const;
const counts: readonly string[] = ['iops', 'ports'];

export default class TierSet extends BaseCommand {
  static override summary = 'Change what a tier gives to tasks.';
  static override description =
    'It holds for tasks that are submitted from now on; those that were keep what they were given. ' +
    'A word of `default` brings the default of one amount back, --reset those of all. No tier may ' +
    `give less than the one below it. Needs an admin token.\n\n${exitCodeText([0, 1, 2, 6, 8])}`;
  static override usage = 'tier set TIER [flags]';
  static override examples = [
    '<%= config.bin %> tier set basic --cpu 0.2 --memory 128MiB --cap 1h',
    '<%= config.bin %> tier set premium --iops 500 --cap default',
    '<%= config.bin %> tier set basic --reset',
  ];
  static override args = {
    tier: stringArg({ description: tiers.join(', '), required: true }),
  };
  static override flags = {
    cpu: string({ description: 'CPUs a task is given: 0.2', helpValue: 'CPUS' }),
    memory: string({ description: 'memory a task is given', helpValue: 'SIZE' }),
    disk: string({ description: 'disk a task is given', helpValue: 'SIZE' }),
    iops: string({ description: 'disk operations a second a task is given', helpValue: 'N' }),
    bandwidth: string({ description: 'network bytes a second a task is given', helpValue: 'SIZE' }),
    ports: string({ description: 'TCP ports a task is given', helpValue: 'N' }),
    cap: string({
      description: 'longest --cap of its tasks, which those without one get; `none` for no ceiling',
      helpValue: 'DURATION',
    }),
    reset: boolean({ description: 'everything back to its default', exclusive: [...fields] }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(TierSet);
    const tier = readTier(args.tier);
    const body: Record<string, unknown> = {};
    for (const field of fields) {
      const value = flags[field];
      if (flags.reset || value === 'default') body[field] = null;
      else if (value !== undefined) body[field] = ofText(field, value);
    }
    if (Object.keys(body).length === 0) {
      throw usageError('there is nothing to change', `Give --${fields.join(', --')} or --reset.`);
    }
    const client = await this.connect(flags);
    const path = `/v1/tiers/${tier}`;
    const { flagOfField, placingOf } = await import('../../input/places.ts');
    const place = placingOf({ value: {} }, body, flagOfField);
    const call = { method: 'POST', path, body, repeatable: true, place } as const;
    const answer = await client.call<unknown>(call);
    const rows = listIn<TierRow>(answer.body, 'tiers');
    const { renderTiers } = await import('../../output/tiers.ts');
    this.printIds([tier]);
    this.print(renderTiers(rows, this.screen));
    return { tiers: rows };
  }
}

function readTier(name: string): Tier {
  const tier = tiers.find(known => known === name);
  if (tier === undefined) throw usageError(`"${name}" is no tier: ${tiers.join(', ')}`);
  return tier;
}

const ofText = (field: string, value: string): string | number =>
  counts.includes(field) && /^\d{1,9}$/.test(value) ? Number(value) : value;
