/**
 * What people and machines get wrong, at the real program and its real ports: a clear error where a
 * person sees it, no node falls over, and no task is lost. A task is submitted before everything
 * else and must still be there, and run, at the end.
 */
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest';
import { createNet, type Net } from '../../src/net/create-libp2p.ts';
import { silentLog } from '../../src/ports/log.ts';
import { RealCluster } from '../support/real-cluster.ts';
import type { RealNode } from '../support/real-node.ts';
import { until } from '../support/until.ts';

const mib = 1024 * 1024;

let cluster: RealCluster;
let held: string;

const go = (): string => join(cluster.dir, 'go');

beforeAll(async () => {
  cluster = await RealCluster.start({ nodes: 3, shards: 8 });
  const script = `while [ ! -e ${go()} ]; do sleep 0.1; done`;
  held = await cluster.ok(['submit', '-q', '--', 'sh', '-c', script]);
});

afterAll(async () => cluster.end());

interface Health {
  readonly ready: boolean;
}

/** Every node that should run does, and takes tasks. */
async function allReady(): Promise<void> {
  for (const node of cluster.nodes) {
    expect(node.alive, `${node.name} still runs`).toBe(true);
    const { status, body } = await cluster.call<Health>(node, 'GET', '/v1/health');
    expect({ status, ready: body.ready }, node.name).toEqual({ status: 200, ready: true });
  }
}

interface Mistake {
  readonly what: string;
  readonly args: readonly string[] | (() => Promise<readonly string[]>);
  readonly stdin?: string | Buffer;
  readonly code: number;
  /** What the person is told. */
  readonly says: RegExp;
}

const file = async (name: string, content: string | Buffer): Promise<string> => {
  const path = join(cluster.dir, name);
  await writeFile(path, content);
  return path;
};

const scheduled = (...flags: string[]) => ['schedule', 'create', 'x', ...flags, '--', 'true'];

const mistakes: readonly Mistake[] = [
  {
    what: 'an unknown flag',
    args: ['submit', '--cpus', '2', '--', 'true'],
    code: 2,
    says: /Unknown flag.*--cpus[\s\S]*try: --cpu/,
  },
  {
    what: 'malformed YAML, with line and column',
    args: async () => ['submit', '-f', await file('bad.yaml', 'name: x\ncommand: [a\nenv: {')],
    code: 2,
    says: /not valid YAML.*bad\.yaml:\d+:\d+/,
  },
  {
    what: 'bytes that are no text, as a file of tasks',
    args: ['submit', '-f', '-'],
    stdin: Buffer.from([0xff, 0xfe, 0, 1, 2, 0x80]),
    code: 2,
    says: /not valid YAML.*not UTF-8/,
  },
  {
    what: 'an unknown tier',
    args: ['submit', '--tier', 'gold', '--', 'true'],
    code: 2,
    says: /--tier: unknown tier: must be basic, regular or premium/,
  },
  {
    what: 'a resource that no node has',
    args: ['submit', '--memory', '900TiB', '--', 'true'],
    code: 7,
    says: /No node .* can run this task.*memory: 900TiB/,
  },
  {
    what: 'a label that no node has',
    args: ['submit', '--require', 'rack=none', '--', 'true'],
    code: 7,
    says: /No node .* can run this task/,
  },
  {
    what: 'a cap of zero',
    args: ['submit', '--cap', '0', '--', 'true'],
    code: 2,
    says: /--cap: a cap of zero/,
  },
  {
    what: 'a document of 100 MiB',
    args: ['submit', '-f', '-'],
    stdin: Buffer.concat([Buffer.from('command: [true]\nname: '), Buffer.alloc(100 * mib, 97)]),
    code: 2,
    says: /over a size limit.*64MiB/,
  },
  {
    what: 'a script of 100 MiB',
    args: async () => ['submit', await file('big.sh', Buffer.alloc(100 * mib, 97))],
    code: 2,
    says: /over a size limit.*100MiB long; at most 256KiB/,
  },
  {
    what: 'a cron pattern that never fires',
    args: ['schedule', 'create', 'x', '--cron', '0 0 30 2 *', '--', 'true'],
    code: 2,
    says: /--cron: never fires[\s\S]*try: /,
  },
  {
    what: 'a cron pattern with a minute that no hour has',
    args: ['schedule', 'create', 'x', '--cron', '61 * * * *', '--', 'true'],
    code: 2,
    says: /--cron: \S/,
  },
  {
    what: '30 February',
    args: scheduled('--every', 'annually', '--month', 'feb', '--day', '30'),
    code: 2,
    says: /--day: .*February never has a day 30/,
  },
  {
    what: 'an unknown time zone, with the one that was meant',
    args: scheduled('--every', 'daily', '--timezone', 'Europe/Berlinn'),
    code: 2,
    says: /--timezone: there is no time zone "Europe\/Berlinn"; did you mean Europe\/Berlin\?/,
  },
  {
    what: 'an unknown time zone in a file, with its line',
    args: async () => {
      const text = 'name: x\nevery: daily\ntimezone: Mars\ntask: { command: [a] }\n';
      return ['schedule', 'create', '-f', await file('mars.yaml', text)];
    },
    code: 2,
    says: /mars\.yaml:3:11: there is no time zone "Mars"[\s\S]*3 \| timezone: Mars\n.*\^/,
  },
  {
    what: 'a parameter of a template that is missing',
    args: async () => {
      const text = 'parameters: { day: string }\ntask: { command: [echo, "${day}"] }\n';
      await cluster.ok(['template', 'create', 'dated', '-f', await file('dated.yaml', text)]);
      return ['template', 'run', 'dated'];
    },
    code: 2,
    says: /--set: the parameter `day` \(string\) has no default: give it, as --set day=VALUE/,
  },
  {
    what: 'a cycle through three files, drawn with their lines',
    args: async () => {
      const paths: string[] = [];
      for (const [name, before] of ['ac', 'ba', 'cb']) {
        const text = `tasks:\n  - { name: ${name}, after: [${before}], command: [a] }\n`;
        paths.push('-f', await file(`${name}.yaml`, text));
      }
      return ['submit', ...paths];
    },
    code: 2,
    says: /cycle.*(?=.*a \(\S*a\.yaml:2\))(?=.*b \(\S*b\.yaml:2\))(?=.*c \(\S*c\.yaml:2\))/s,
  },
  {
    what: 'a negative tolerance',
    args: ['submit', '--tolerance=-5m', '--', 'true'],
    code: 2,
    says: /--tolerance: must be a duration such as/,
  },
  {
    what: 'an ID that does not exist',
    args: ['status', '0123456789zzzzzzzzzz'],
    code: 1,
    says: /No such task.*0123456789zzzzzzzzzz/,
  },
  {
    what: 'a short ID that fits nothing',
    args: ['cancel', 'zzzzzzzz'],
    code: 1,
    says: /No such task.*zzzzzzzz/,
  },
  {
    what: 'text that is no ID',
    args: ['logs', 'what?'],
    code: 2,
    says: /Not a task ID.*what\?/,
  },
  {
    what: 'a node that does not exist',
    args: ['node', 'show', 'nowhere'],
    code: 1,
    says: /No such node.*nowhere/,
  },
  {
    what: 'an empty data directory without a token',
    args: async () => ['node', 'start', '--data-dir', join(cluster.dir, 'none')],
    code: 2,
    says: /cluster init --data-dir[\s\S]*--join TOKEN/,
  },
  {
    what: 'a join token that is none',
    args: async () => [
      ...['node', 'start', '--data-dir', join(cluster.dir, 'none')],
      ...['--join', 'tsj_nonsense'],
    ],
    code: 2,
    says: /join token cannot be read/,
  },
  {
    what: 'the data directory of a node that runs',
    args: async () => [
      ...['node', 'start', '--data-dir', cluster.nodes[0]!.dir],
      ...['--http', '127.0.0.1:0', '--log-level', 'error'],
    ],
    code: 1,
    says: /Another process has the data directory open/,
  },
];

describe('a person', () => {
  test.each(mistakes)('is told about $what', async ({ args, stdin, code, says }) => {
    onTestFailed(() => console.error(cluster.tails()));
    const words = typeof args === 'function' ? await args() : args;
    const run = await cluster.run(words, cluster.any, stdin);
    expect({ code: run.code, stdout: run.stdout }).toEqual({ code, stdout: '' });
    expect(run.stderr).toMatch(/^error: /m);
    expect(run.stderr).toMatch(says);
    expect(run.stderr).not.toMatch(/at .*\.js:\d+/);
    await allReady();
  });

  test('without the right token is not let in', async () => {
    const env = { TSCHED_ADDR: cluster.any.address, TSCHED_TOKEN: 'guessed' };
    const { startProgram } = await import('../support/program.ts');
    const run = await startProgram(['list'], { env }).done;
    expect(run.code).toBe(1);
    expect(run.stderr).toMatch(/No valid token/);
  });
});

async function socketTo(host: string, port: number): Promise<Socket> {
  const socket = connect(port, host);
  // Being cut off is what is wanted here. Unread bytes would hold back the end.
  socket.on('error', () => undefined);
  socket.resume();
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return socket;
}

/** Sends all pieces, then waits until the other side has had enough. */
async function sendUntilClosed(host: string, port: number, pieces: readonly Buffer[]) {
  const socket = await socketTo(host, port);
  for (const piece of pieces) if (!socket.destroyed) socket.write(piece);
  await until('the connection is closed', () => socket.destroyed || socket.readableEnded);
  socket.destroy();
}

const portsOf = (address: string): [string, number] => {
  const [host = '', port = ''] = address.split(':');
  return [host, Number(port)];
};

async function listenPort(node: RealNode): Promise<number> {
  const port = /tcp\/(\d+)/.exec(await readFile(node.outFile, 'utf8'))?.[1];
  if (port === undefined) throw new Error(`${node.name} did not say where it listens`);
  return Number(port);
}

const garbage = (): Buffer[] => [
  randomBytes(64 * 1024),
  Buffer.alloc(256 * 1024, 0xff),
  Buffer.alloc(64 * 1024),
];

describe('a port', () => {
  test('of the HTTP API takes binary garbage and closes the connection', async () => {
    for (const node of cluster.nodes) {
      for (const piece of garbage()) await sendUntilClosed(...portsOf(node.address), [piece]);
      const body = randomBytes(4_096);
      const head = `POST /v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n`;
      const auth = `Authorization: Bearer ${cluster.token}\r\nConnection: close\r\n\r\n`;
      await sendUntilClosed(...portsOf(node.address), [Buffer.from(head + auth), body]);
    }
    await allReady();
  });

  test('of the HTTP API refuses a document of 100 MiB without reading it all', async () => {
    const response = await fetch(`http://${cluster.any.address}/v1/tasks`, {
      method: 'POST',
      headers: { authorization: `Bearer ${cluster.token}`, 'content-type': 'application/json' },
      body: `{"command":["true"],"name":"${'a'.repeat(100 * mib)}"}`,
    }).catch((error: unknown) => error);
    // The connection may be cut before everything was sent.
    if (response instanceof Response) expect(response.status).toBe(413);
    else expect(String(response)).toMatch(/fetch failed/);
    await allReady();
  });

  test('for other nodes takes binary garbage and closes the connection', async () => {
    for (const node of cluster.nodes) {
      const port = await listenPort(node);
      for (const piece of garbage()) await sendUntilClosed('127.0.0.1', port, [piece]);
    }
    await allReady();
  });
});

/** A counter of `/metrics`. */
async function metric(node: RealNode, name: string): Promise<number> {
  const response = await fetch(`http://${node.address}/metrics`, {
    headers: { authorization: `Bearer ${cluster.token}` },
  });
  const found = new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+)`, 'm').exec(await response.text())?.[1];
  if (found === undefined) throw new Error(`${node.name} has no counter ${name}`);
  return Number(found);
}

/** The network of a node that is stopped, in this process: a member that went mad. */
async function takePlaceOf(node: RealNode): Promise<Net> {
  return createNet({
    privateKey: new Uint8Array(await readFile(join(node.dir, 'node.key'))),
    networkKey: new Uint8Array(await readFile(join(node.dir, 'network.key'))),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    log: silentLog,
    mayConnect: () => true,
  });
}

describe('a member that went mad', () => {
  test('poisons gossip and frames without any harm', async () => {
    onTestFailed(() => console.error(cluster.tails()));
    const victim = cluster.nodes[2]!;
    await victim.kill();
    const others = cluster.nodes.filter(node => node !== victim);
    const net = await takePlaceOf(victim);
    try {
      await net.transport.start({
        onFrame: () => undefined,
        onUp: () => undefined,
        onDown: () => undefined,
      });
      await net.gossip.start(() => true);
      for (const node of others) {
        const id = (await cluster.get<{ id: string }>('/v1/nodes/self', node)).id;
        const port = await listenPort(node);
        net.transport.connect(id, [`/ip4/127.0.0.1/tcp/${port}/p2p/${id}`]);
        await until(`connected to ${node.name}`, () => net.transport.connected(id));
        for (let round = 0; round < 50; round++) net.transport.send(id, randomBytes(300));
      }
      for (const node of others) {
        await until(`${node.name} counts frames that cannot be read`, async () => {
          return (await metric(node, 'tsched_bad_frames_total')) >= 10;
        });
        await until(`${node.name} counts advertisements that cannot be read`, async () => {
          net.gossip.publish(randomBytes(200));
          return (await metric(node, 'tsched_gossip_rejected_total')) > 0;
        });
      }
    } finally {
      await net.stop();
    }
    await victim.start();
    await cluster.untilWhole();
    await allReady();
  });
});

test('the task from before all this is still there and runs to its end', async () => {
  expect((await cluster.task(held)).state).toBe('running');
  await writeFile(go(), '');
  expect(await cluster.untilSettled(held)).toMatchObject({ state: 'succeeded', runs: 1 });
  const list = await cluster.get<{ tasks: { id: string }[] }>('/v1/tasks');
  expect(list.tasks.map(task => task.id)).toEqual([held]);
});
