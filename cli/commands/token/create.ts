/** `tsched token create`: a bearer token for a person or a program. */
import { string as stringArg } from '@oclif/core/args';
import { string } from '@oclif/core/flags';
import { defaultTenant } from '../../../src/model/plan.ts';
import { roles } from '../../../src/model/role.ts';
import { BaseCommand } from '../../base-command.ts';
import { exitCodeText } from '../../exit-codes.ts';
import { readDuration } from '../../input/values.ts';
import type { MadeToken } from '../../wire.ts';

export default class TokenCreate extends BaseCommand {
  static override summary = 'Make a token, and show it once.';
  static override description =
    'The cluster keeps the hash of the token only: what is printed here cannot be shown again. ' +
    'Roles: reader looks at the tasks of its tenant, submitter also submits, cancels and runs them ' +
    'again, admin does everything for every tenant. Needs an admin token. (A token with which a ' +
    `*node* joins is another thing: \`tsched cluster token\`.)\n\n${exitCodeText([0, 1, 2, 6, 8])}`;
  static override usage = 'token create NAME [flags]';
  static override examples = [
    '<%= config.bin %> token create ci --tenant acme',
    '<%= config.bin %> token create viewer --tenant acme --role reader --expires 90d',
    '<%= config.bin %> token create ci --tenant acme -q > ci.token',
  ];
  static override args = {
    name: stringArg({
      description: 'whose it is; the owner of what is submitted with it',
      required: true,
      ignoreStdin: true,
    }),
  };
  static override flags = {
    tenant: string({
      description: 'whose tasks it sees',
      default: defaultTenant,
      helpValue: 'TENANT',
    }),
    role: string({ description: 'what it may do', options: [...roles], default: 'submitter' }),
    expires: string({
      description: 'good for so long; for ever without it',
      helpValue: 'DURATION',
    }),
  };

  override async run(): Promise<unknown> {
    const { args, flags } = await this.parse(TokenCreate);
    readDuration('expires', flags.expires);
    const { tenant, role, expires } = flags;
    const client = await this.connect(flags);
    const { body } = await client.call<MadeToken>({
      method: 'POST',
      path: '/v1/tokens',
      body: { name: args.name, tenant, role, ...(expires === undefined ? {} : { expires }) },
      // Once more would be one token more.
      repeatable: false,
    });
    this.printIds([body.token]);
    this.print(
      `${body.token}\n  ${body.role} of tenant ${body.tenant}, id ${body.id}; it is not shown again\n` +
        '  try: TSCHED_TOKEN=TOKEN tsched list',
    );
    return body;
  }
}
