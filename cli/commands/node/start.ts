/** `tsched node start`: runs a node in this process until it is stopped. */

import { resolve } from 'node:path';
import { boolean, string } from '@oclif/core/flags';
import { parseCpu, parseSize, type Tier, tiers } from '../../../src/model/resources.ts';
import { BaseCommand } from '../../base-command.ts';
import { usageError } from '../../cli-error.ts';
import { exitCodeText } from '../../exit-codes.ts';
import { readCount, readPairs } from '../../input/values.ts';
import { defaultHttpAddress } from '../../profile.ts';
import { giveBackWhenQuiet } from '../../quiet-memory.ts';

const many = { multiple: true, multipleNonGreedy: true } as const;
const listenDefault = '/ip4/127.0.0.1/tcp/0';

export default class NodeStart extends BaseCommand {
  static override summary = 'Start a node in this process.';
  static override description =
    'The data directory is one that `tsched cluster init` made or that held this node before; with ' +
    '--join an empty one joins a running cluster. It prints `ready http://HOST:PORT` once it takes ' +
    'tasks and stops on SIGTERM or Ctrl-C; tasks go on under its supervisor and are taken up again.\n\n' +
    exitCodeText([0, 1, 2, 74]);
  static override usage = 'node start --data-dir DIR [flags]';
  static override examples = [
    '<%= config.bin %> node start --data-dir /var/lib/tsched --listen /ip4/10.0.0.5/tcp/7071',
    '<%= config.bin %> node start --data-dir ./b --join TOKEN --http 127.0.0.1:7072 --tier premium',
  ];
  static override flags = {
    'data-dir': string({ description: 'directory of this node', required: true, helpValue: 'DIR' }),
    join: string({
      description:
        'join token, as `tsched cluster token -q` prints it; everybody on the machine can read an ' +
        'argument, only this user the environment',
      env: 'TSCHED_JOIN',
      helpValue: 'TOKEN',
    }),
    listen: string({
      description: `address for other nodes; repeatable; ${listenDefault} unless given`,
      helpValue: 'MULTIADDR',
      ...many,
    }),
    http: string({
      description: 'address of the HTTP API',
      default: defaultHttpAddress,
      helpValue: 'HOST:PORT',
    }),
    name: string({ description: 'name of the node; the name of the machine unless given' }),
    tier: string({
      description: `tier it offers: ${tiers.join(', ')}`,
      default: 'regular',
      helpValue: 'TIER',
    }),
    cpu: string({ description: 'CPUs it offers; those of the machine unless given' }),
    memory: string({ description: 'memory it offers', helpValue: 'SIZE' }),
    disk: string({ description: 'disk it offers', helpValue: 'SIZE' }),
    iops: string({ description: 'disk operations a second it offers', helpValue: 'N' }),
    bandwidth: string({ description: 'network bytes a second it offers', helpValue: 'SIZE' }),
    ports: string({
      description:
        'TCP ports it gives to tasks, 20000-20999 unless given, or `none`; nodes of one machine ' +
        'need ranges of their own',
      helpValue: 'FROM-TO',
    }),
    'disk-reserve': string({
      description: 'room kept free on the disk; a twentieth of it, 1GiB to 10GiB, unless given',
      helpValue: 'SIZE',
    }),
    ballast: string({
      description: 'file that is given up to start on a full disk; 64MiB unless given, 0 for none',
      helpValue: 'SIZE',
    }),
    'accept-data-loss': boolean({
      description:
        'go on with a store that lost acknowledged data; only where no other node has it, see doctor',
    }),
    'auto-rebuild': boolean({
      description:
        'put a damaged store aside and have it rebuilt from the other nodes, where they have all of it',
      exclusive: ['accept-data-loss'],
    }),
    label: string({
      description: 'label tasks can require; repeatable; os, arch and hostname are there',
      helpValue: 'K=V',
      ...many,
    }),
    'allow-insecure-http': boolean({
      description: 'allow an --http address that is not loopback, without TLS',
    }),
    'log-level': string({ description: 'debug, info, warn or error', helpValue: 'LEVEL' }),
  };

  override async run(): Promise<unknown> {
    const { flags } = await this.parse(NodeStart);
    this.begin(flags);
    const amounts = readAmounts(flags);
    const tier = tiers.find(known => known === flags.tier);
    if (tier === undefined)
      throw usageError(`--tier ${flags.tier} is not one of ${tiers.join(', ')}`);
    const logLevel = flags['log-level'];
    const { loadNodeProgram } = await import('../../node-program.ts');
    const { startNode } = await loadNodeProgram();
    const node = await startNode({
      dataDir: resolve(flags['data-dir']),
      listen: (flags.listen ?? [listenDefault]).map(readListen),
      http: flags.http,
      tier: tier satisfies Tier,
      labels: readPairs('label', flags.label),
      allowInsecureHttp: flags['allow-insecure-http'],
      acceptDataLoss: flags['accept-data-loss'],
      autoRebuild: flags['auto-rebuild'],
      ...(flags.join === undefined ? {} : { join: flags.join.trim() }),
      ...(flags.name === undefined ? {} : { name: flags.name }),
      ...(logLevel === undefined ? {} : { logLevel }),
      ...amounts,
    });
    stopOnSignals(() => node.stop());
    giveBackWhenQuiet();
    this.print(`node ${node.name}   ${node.nodeId}`);
    for (const address of node.addresses) this.print(`  listens on ${address}`);
    await Promise.race([node.ready, node.stopped]);
    this.print(`ready ${withScheme(node.httpAddress)}`);
    this.printIds([node.nodeId]);
    if (this.jsonEnabled()) {
      const { nodeId, name, httpAddress, addresses } = node;
      this.logJson({ ready: true, nodeId, name, httpAddress, addresses });
    }
    await node.stopped;
    return undefined;
  }
}

const withScheme = (address: string): string =>
  address.includes('://') ? address : `http://${address}`;

/** The first signal stops in order, a second one at once. */
function stopOnSignals(stop: () => Promise<void>): void {
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(signal === 'SIGINT' ? 130 : 143);
    stopping = true;
    stop().catch((error: unknown) => {
      process.stderr.write(`error: the node did not stop in order — ${String(error)}\n`);
      process.exit(1);
    });
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
}

interface AmountFlags {
  readonly cpu?: string | undefined;
  readonly memory?: string | undefined;
  readonly disk?: string | undefined;
  readonly 'disk-reserve'?: string | undefined;
  readonly ballast?: string | undefined;
  readonly iops?: string | undefined;
  readonly bandwidth?: string | undefined;
  readonly ports?: string | undefined;
}

interface Amounts {
  cpuMilli?: number;
  memoryBytes?: number;
  diskBytes?: number;
  diskReserveBytes?: number;
  ballastBytes?: number;
  iops?: number;
  bandwidth?: number;
  ports?: { from: number; to: number } | 'none';
}

function readSize(flag: string, text: string): number {
  const bytes = parseSize(text);
  if (bytes !== undefined) return bytes;
  throw usageError(`--${flag} ${text} is not a size`, 'Write 512MiB, 4GiB or a number of bytes.');
}

function readListen(text: string): string {
  if (/^\/(ip4|ip6|dns|dns4|dns6)\/[^/\s]+\/tcp\/\d{1,5}$/.test(text)) return text;
  throw usageError(`--listen ${text} is not an address for other nodes`, `Write ${listenDefault}.`);
}

function readPorts(text: string): { from: number; to: number } | 'none' {
  if (text === 'none') return text;
  const match = /^(\d{1,5})-(\d{1,5})$/.exec(text);
  const from = Number(match?.[1]);
  const to = Number(match?.[2]);
  if (match && from >= 1 && to <= 65_535 && from <= to) return { from, to };
  throw usageError(`--ports ${text} is not a range of ports`, 'Write 8000-8010, or none.');
}

/** What the node offers, as far as it was said. */
function readAmounts(flags: AmountFlags): Amounts {
  const amounts: Amounts = {};
  if (flags.cpu !== undefined) {
    const cpuMilli = parseCpu(flags.cpu);
    if (!cpuMilli)
      throw usageError(`--cpu ${flags.cpu} is not a number of CPUs`, 'Write 4 or 0.5.');
    amounts.cpuMilli = cpuMilli;
  }
  if (flags.memory !== undefined) amounts.memoryBytes = readSize('memory', flags.memory);
  if (flags.disk !== undefined) amounts.diskBytes = readSize('disk', flags.disk);
  const reserve = flags['disk-reserve'];
  if (reserve !== undefined) amounts.diskReserveBytes = readSize('disk-reserve', reserve);
  if (flags.ballast !== undefined) amounts.ballastBytes = readSize('ballast', flags.ballast);
  const iops = readCount('iops', flags.iops, { min: 0, max: 999_999_999 });
  if (iops !== undefined) amounts.iops = iops;
  if (flags.bandwidth !== undefined) amounts.bandwidth = readSize('bandwidth', flags.bandwidth);
  if (flags.ports !== undefined) amounts.ports = readPorts(flags.ports);
  return amounts;
}
