/**
 * The rules of the house, as data and as a test. Change a rule here together with the page that
 * states it, never to let one file through.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { errorTable } from '../src/model/errors.ts';
import {
  type Ban,
  checkBans,
  checkCycles,
  checkExports,
  checkHeaders,
  checkImports,
  checkMarks,
  checkNames,
  checkPurity,
  checkRooms,
  checkSizes,
  checkUnusedExports,
  checkWalls,
  type House,
} from './support/tidy/rules.ts';
import { codeOf, type Source, scan } from './support/tidy/scan.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const pure = ['model', 'raft', 'shard', 'registry', 'placement', 'routing', 'quota'];
const outer = ['storage', 'net', 'worker', 'gateway'];
const rooms = [...pure, 'ports', ...outer, 'node'];
const everyRoom = [...rooms, 'dashboard', 'chaos'];

const house: House = {
  rooms: {
    model: [],
    raft: ['model'],
    shard: ['model'],
    registry: ['model'],
    placement: ['model'],
    routing: ['model'],
    quota: ['model'],
    ports: ['model'],
    storage: ['model', 'ports'],
    net: ['model', 'ports'],
    worker: ['model', 'ports'],
    gateway: ['model', 'ports'],
    node: rooms,
    // Runs in a browser: reaches the node through its HTTP API, and shares no code with it.
    dashboard: [],
    // Drives clusters from outside: starts the program and speaks HTTP, and knows none of its
    // rooms.
    chaos: ['model'],
    cli: ['model'],
    scripts: [...everyRoom, 'cli', 'test'],
    test: [...everyRoom, 'cli', 'scripts'],
  },
  doors: [
    // The store keeps entries and a hard state: Raft's words for them, nothing else of it.
    { from: /^src\/ports\/store\.ts$/, to: /^src\/raft\/message\.ts$/, only: 'types' },
    { from: /^src\/storage\//, to: /^src\/raft\/message\.ts$/ },
    // What the API answers, as types; the page is served alone, so nothing of them may remain.
    { from: /^src\/dashboard\//, to: /^src\/(model|ports)\//, only: 'types' },
    // `tsched node start` is a node; loaded only then, so that a client does not pay for LevelDB.
    { from: /^cli\/node-program\.ts$/, to: /^src\/node\/main\.ts$/, only: 'dynamic' },
    // `tsched chaos` is the engine; the same again.
    { from: /^cli\/chaos-program\.ts$/, to: /^src\/chaos\/main\.ts$/, only: 'dynamic' },
  ],
  walls: {
    'node:': [...outer, 'node', 'chaos', 'cli', 'scripts', 'test'],
    libp2p: ['net', 'test'],
    '@libp2p/crypto': ['net', 'test'],
    '@libp2p/gossipsub': ['net', 'test'],
    '@libp2p/identify': ['net', 'test'],
    '@libp2p/noise': ['net', 'test'],
    '@libp2p/peer-id': ['net', 'test'],
    '@libp2p/pnet': ['net', 'test'],
    '@libp2p/tcp': ['net', 'test'],
    '@libp2p/yamux': ['net', 'test'],
    '@multiformats/multiaddr': ['net', 'test'],
    level: ['storage', 'test'],
    croner: ['node'],
    execa: ['worker', 'test'],
    fastify: ['gateway', 'test'],
    '@fastify/swagger': ['gateway'],
    'prom-client': ['gateway'],
    pino: ['gateway', 'node'],
    yaml: ['cli', 'test'],
    '@oclif/core': ['cli'],
    'fast-check': ['test'],
    vitest: ['test'],
  },
  pureRooms: pure,
  pureFiles: ['src/worker/reactor.ts'],
  pureBans: [
    { pattern: /(?<![.\w$])Date\b/, instead: 'time enters as data' },
    { pattern: /(?<![.\w$])performance\b/, instead: 'time enters as data' },
    {
      pattern: /(?<![.\w$])(set|clear)(Timeout|Interval|Immediate)\b|\bqueueMicrotask\b/,
      instead: 'ticks enter as data',
    },
    { pattern: /\bMath\s*\.\s*random\b/, instead: 'a seed or a generator enters as data' },
    { pattern: /(?<![.\w$])crypto\b/, instead: 'ids and seeds enter as data' },
    { pattern: /\b(async|await|Promise|EventEmitter)\b/, instead: 'return what is to be done' },
    { pattern: /(?<![.\w$])process\s*\./, instead: 'settings enter as data' },
    { pattern: /\bglobalThis\b/, instead: 'no state outside the values given' },
    { pattern: /(?<![.\w$])console\b/, instead: 'return what is to be told' },
    { pattern: /(?<![.\w$])Buffer\b/, instead: 'use Uint8Array' },
    {
      pattern: /\b(localeCompare|toLocale\w+|Intl)\b/,
      instead: 'compare code units: a locale differs from node to node',
    },
    { pattern: /\b(WeakRef|FinalizationRegistry)\b/, instead: 'no sight of the collector' },
    { pattern: /\bfor\s*\(\s*(const|let|var)\s+\w+\s+in\b/, instead: 'iterate in a fixed order' },
    {
      pattern: /\bJSON\b/,
      instead: 'stored bytes go through ByteWriter',
      // Quotes what a user wrote, in an error message.
      except: ['src/model/spec-reading.ts'],
    },
  ],
};

/** Banned in all of src, cli and scripts. */
const bans: readonly Ban[] = [
  { pattern: /(?::|\bas|<|[^|]\|)\s*any\b(?!\s*[.(:])/, instead: 'name the type, or `unknown`' },
  {
    pattern: /\bcatch\s*(\([^)]*\))?\s*\{\s*\}/,
    instead: 'say why ignoring it is right',
    unlessExplained: true,
  },
  {
    pattern: /\.catch\(\s*(\([^)]*\)\s*=>\s*(\{\s*\}|undefined|null|void 0)|noop)\s*\)/,
    instead: 'a rejection is told to someone',
    unlessExplained: true,
  },
  { pattern: /\bdebugger\b/, instead: 'remove it' },
  { pattern: /@ts-(ignore|nocheck)/, instead: 'mend the type' },
];

const testBans: readonly Ban[] = [
  { pattern: /\b(test|describe|it)\s*\.\s*only\b/, instead: 'the others would not run' },
  { pattern: /\bvi\s*\.\s*mock\b/, instead: 'a port is missing where a module is mocked' },
  { pattern: /\bdebugger\b/, instead: 'remove it' },
];

/** Spelled so that this file does not hold them itself. */
const marks = [
  ['TO', 'DO'],
  ['FIX', 'ME'],
  ['X', 'XX'],
  ['HA', 'CK'],
  ['not imple', 'mented'],
].map(parts => new RegExp(`\\b${parts.join('')}\\b`));

const emptyWords = ['manager', 'handler', 'helper', 'helpers', 'util', 'utils', 'common', 'misc'];

function walk(folder: string): Source[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && /\.(ts|mjs)$/.test(entry.name))
    .map(entry => join(entry.parentPath, entry.name))
    .sort()
    .map(file => scan(posix.relative(root, file), readFileSync(file, 'utf8')));
}

const everything = ['src', 'cli', 'scripts', 'test'].flatMap(walk);
const isTest = ({ path }: Source): boolean => path.startsWith('test/');
const shipped = everything.filter(source => !isTest(source));
const product = everything.filter(({ path }) => /^(src|cli)\//.test(path));

describe('The house', () => {
  test('every file belongs to a room', () => {
    expect(everything.length).toBeGreaterThan(100);
    expect(checkRooms(everything, house)).toEqual([]);
  });

  test('a room imports only what stands above it', () => {
    expect(checkImports(everything, house)).toEqual([]);
  });

  test('a third-party library has one room', () => {
    expect(checkWalls(everything, house)).toEqual([]);
  });

  test('the pure rooms have no clock, chance, promise or input and output', () => {
    expect(checkPurity(everything, house)).toEqual([]);
  });

  test('no file imports itself by way of others', () => {
    expect(checkCycles(shipped, { types: true })).toEqual([]);
    expect(checkCycles(everything, { types: false })).toEqual([]);
  });

  test('files are short enough to read', () => {
    expect(checkSizes(shipped, { linesMax: 400, columnsMax: 100 })).toEqual([]);
  });

  test('lines of tests fit the screen', () => {
    const bounds = { linesMax: Number.POSITIVE_INFINITY, columnsMax: 100 };
    expect(checkSizes(everything.filter(isTest), bounds)).toEqual([]);
  });

  test('files are named in kebab-case by a word that says something', () => {
    expect(checkNames(everything, emptyWords)).toEqual([]);
  });

  test('every file of the product says first what it is for', () => {
    expect(checkHeaders(shipped)).toEqual([]);
  });

  test('only commands have default exports, and nothing is a barrel', () => {
    expect(checkExports(everything, /^(cli\/commands\/|test\/vitest\.config\.ts$)/)).toEqual([]);
  });

  test('nothing is exported that nobody uses', () => {
    expect(checkUnusedExports(product, everything)).toEqual([]);
  });

  test('no type is given up and no failure swallowed', () => {
    expect(checkBans(shipped, bans)).toEqual([]);
    expect(checkBans(everything.filter(isTest), testBans)).toEqual([]);
  });

  test('nothing is left marked as unfinished', () => {
    const others = everything.filter(({ path }) => path !== 'test/tidy.test.ts');
    expect(checkMarks(others, marks)).toEqual([]);
  });

  test('every error code is told somewhere', () => {
    const table = 'src/model/errors.ts';
    const told = product.filter(({ path }) => path !== table).map(({ text }) => text);
    const unused = Object.keys(errorTable).filter(
      code => !told.some(text => text.includes(`'${code}'`)),
    );
    expect(unused).toEqual([]);
  });
});

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly scripts: Readonly<Record<string, string>>;
}

describe('The packages', () => {
  const read = (file: string): string => readFileSync(join(root, file), 'utf8');
  const manifest = JSON.parse(read('package.json')) as Manifest;

  test('are all used, and nothing else is', () => {
    const imported = new Set(
      product.flatMap(({ imports }) =>
        imports
          .map(({ specifier }) => specifier)
          .filter(specifier => !/^(\.|node:)/.test(specifier))
          .map(specifier => specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')),
      ),
    );
    expect([...imported].sort()).toEqual(Object.keys(manifest.dependencies).sort());
  });

  test('are pinned exactly, and the lock names no registry', () => {
    const versions = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
    expect(read('package-lock.json')).not.toContain('"resolved"');
  });

  test('have scripts that all lead to a subcommand', () => {
    const entry = read('scripts/main.ts');
    for (const [name, command] of Object.entries(manifest.scripts)) {
      expect(command).toBe(`node scripts/launch.mjs ${name}`);
      expect(entry).toMatch(new RegExp(`^  '?${name}'?: \\{`, 'm'));
    }
  });
});

describe('The pages', () => {
  const pages = [
    'README.md',
    ...readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(file =>
      /^(docs|src)\/.*\.md$/.test(file),
    ),
  ];

  test('link only to what is there', () => {
    expect(pages.length).toBeGreaterThan(4);
    const dead = pages.flatMap(page =>
      [...readFileSync(join(root, page), 'utf8').matchAll(/\]\(([^)#\s]+)(#[^)]*)?\)/g)]
        .map(match => match[1]!)
        .filter(link => !/^[a-z]+:/.test(link))
        .filter(link => !existsSync(join(root, dirname(page), link)))
        .map(link => `${page} → ${link}`),
    );
    expect(dead).toEqual([]);
  });
});

describe('The checker', () => {
  const planted = (path: string, text: string): Source[] => [scan(path, text)];
  const pureBreaches = (text: string): string[] =>
    checkPurity(planted('src/raft/planted.ts', text), house);

  test('blanks comments, strings, templates and patterns but not the code between them', () => {
    const text = "a /* Date */ + 'Date' // Date\n+ `Date ${Date} Date` + /Date[/]/.b / Date / c;";
    const code = codeOf(text);
    expect(code).toHaveLength(text.length);
    expect(code.match(/Date/g)).toHaveLength(2);
    expect(code).toContain('${Date}');
    expect(code).toContain('/ Date / c;');
  });

  test('reads a string with an escaped quote and a template in a template to their ends', () => {
    expect(codeOf("'it\\'s' + Date")).toBe("'     ' + Date");
    expect(codeOf('`a ${`b ${Date} c`} d` + e')).toBe('`  ${`  ${Date}  `}  ` + e');
    expect(codeOf('f({ a: `${g({})}` }); Date')).toContain('; Date');
  });

  test('finds imports of all forms, over several lines too', () => {
    const { imports } = planted(
      'src/node/planted.ts',
      [
        "import type { A } from './a.ts';",
        'import {\n  type B,\n  c,\n} from "./b.ts";',
        "import { type D } from './d.ts';",
        "import './e.ts';",
        "export { f } from './f.ts';",
        "const g = await import('./g.ts');",
        "// import { h } from './h.ts';",
        "const text = 'from nowhere';",
      ].join('\n'),
    )[0]!;
    expect(imports.map(({ specifier }) => specifier)).toEqual(
      ['a', 'b', 'd', 'e', 'f', 'g'].map(name => `./${name}.ts`),
    );
    expect(imports.map(({ typeOnly }) => typeOnly)).toEqual([
      true,
      false,
      true,
      false,
      false,
      false,
    ]);
    expect(imports.map(({ line }) => line)).toEqual([1, 2, 6, 7, 8, 9]);
    expect(imports.at(-1)!.dynamic).toBe(true);
  });

  test.each([
    ['src/raft/planted.ts', "import { x } from '../shard/machine.ts';"],
    ['src/shard/planted.ts', "import type { Entry } from '../raft/message.ts';"],
    ['src/model/planted.ts', "import type { Clock } from '../ports/clock.ts';"],
    ['src/storage/planted.ts', "import { x } from '../net/keys.ts';"],
    ['src/storage/planted.ts', "import { x } from '../raft/core.ts';"],
    ['src/ports/store.ts', "import { entryBytes } from '../raft/message.ts';"],
    ['src/gateway/planted.ts', "import { x } from '../node/main.ts';"],
    ['cli/commands/planted.ts', "import { startNode } from '../../src/node/main.ts';"],
    ['cli/node-program.ts', "import { startNode } from '../src/node/main.ts';"],
    ['src/raft/planted.ts', "import { a } from './not-there';"],
  ])('refuses in %s: %s', (path, text) => {
    const targets = everything.filter(source => source.path !== path);
    expect(checkImports([...targets, ...planted(path, text)], house)).toHaveLength(1);
  });

  test('lets the doors open that exist by design', () => {
    const sources = [
      ...everything.filter(({ path }) => path !== 'cli/node-program.ts'),
      ...planted('cli/node-program.ts', "export const a = () => import('../src/node/main.ts');"),
    ];
    expect(checkImports(sources, house).filter(breach => breach.startsWith('cli/'))).toEqual([]);
  });

  test.each([
    ['src/gateway/planted.ts', "import { Level } from 'level';"],
    ['src/node/planted.ts', "import { execa } from 'execa';"],
    ['cli/planted.ts', "import { multiaddr } from '@multiformats/multiaddr';"],
    ['src/worker/planted.ts', "import pino from 'pino';"],
    ['src/net/planted.ts', "import left from 'left-pad';"],
    ['src/placement/planted.ts', "import { test } from 'vitest';"],
    ['src/ports/planted.ts', "import type { Readable } from 'node:stream';"],
  ])('refuses a package beyond its wall in %s: %s', (path, text) => {
    expect(checkWalls(planted(path, text), house)).toHaveLength(1);
  });

  test.each([
    'const now = Date.now();',
    'const at = performance.now();',
    'setTimeout(tick, 10);',
    'queueMicrotask(tick);',
    'const x = Math.random();',
    'const id = crypto.randomUUID();',
    'async function read() {}',
    'const later = new Promise(() => {});',
    "import { readFileSync } from 'node:fs';",
    'const home = process.env;',
    "console.log('x');",
    "const bytes = Buffer.from('x');",
    'names.sort((a, b) => a.localeCompare(b));',
    'const format = new Intl.NumberFormat();',
    'const ref = new WeakRef(x);',
    'for (const key in record) use(key);',
    'const bytes = encode(JSON.stringify(row));',
    'const text = `${Date.now()}`;',
  ])('refuses in a pure room: %s', text => {
    expect(pureBreaches(text)).toHaveLength(1);
  });

  test('leaves words, properties and comments of a pure room alone', () => {
    const text = [
      '/** Never call Date.now() or await a Promise here. */',
      "const text = 'Date.now() and process.env';",
      'const pattern = /Math.random/;',
      'const at = command.Date + runner.process;',
      "const isolation = { process: 'runs', performance: 1 }.process;",
    ].join('\n');
    expect(pureBreaches(text.replace(', performance: 1', ''))).toEqual([]);
  });

  test('holds what a pure file imports of its own room to the same', () => {
    const sources = [
      ...planted('src/worker/reactor.ts', "import { a } from './planted.ts';"),
      ...planted('src/worker/planted.ts', 'export const a = () => Date.now();'),
      ...planted('src/worker/other.ts', 'export const b = () => Date.now();'),
    ];
    expect(checkPurity(sources, house).map(breach => breach.split(' ')[0])).toEqual([
      'src/worker/planted.ts:1',
    ]);
  });

  test.each([
    'const x: any = 1;',
    'const x = y as any;',
    'const x = new Map<any, string>();',
    'try { a(); } catch {}',
    'try { a(); } catch (error) { }',
    'work().catch(() => {});',
    'work().catch(() => undefined);',
    'debugger;',
  ])('refuses anywhere: %s', text => {
    expect(checkBans(planted('src/node/planted.ts', text), bans)).toHaveLength(1);
  });

  test('lets a failure be ignored where the code says why', () => {
    const text = [
      'try { a(); } catch {\n  // Gone already: that is what was wanted.\n}',
      '// Nobody is left to be told.\nwork().catch(() => undefined);',
      'const any = list.some(x => x || any);',
    ].join('\n');
    expect(checkBans(planted('src/node/planted.ts', text), bans)).toEqual([]);
  });

  test('refuses a test that silences the others', () => {
    const sources = planted('test/planted.test.ts', `test.${'only'}('x', () => {});`);
    expect(checkBans(sources, testBans)).toHaveLength(1);
  });

  test('counts lines and columns, and breaks no literal', () => {
    const bounds = { linesMax: 2, columnsMax: 20 };
    const sizes = (text: string): string[] => checkSizes(planted('src/node/a.ts', text), bounds);
    expect(sizes('a;\nb;\n')).toEqual([]);
    expect(sizes('a;\nb;\nc;\n')).toHaveLength(1);
    expect(sizes(`// ${'word '.repeat(10)}\n`)).toHaveLength(1);
    expect(sizes(`a = b; // ${'word '.repeat(10)}\n`)).toHaveLength(1);
    expect(sizes(`const x = '${'word '.repeat(10)}';\n`)).toEqual([]);
    expect(sizes(`const ${'x'.repeat(90)} = 1;\n`)).toHaveLength(1);
  });

  test.each([
    'src/net/PeerLink.ts',
    'src/net/peer_link.ts',
    'src/net/peer-manager.ts',
    'src/utils/a.ts',
  ])('refuses the name %s', path => {
    expect(checkNames(planted(path, ''), emptyWords)).toHaveLength(1);
  });

  test('refuses a file outside the rooms', () => {
    expect(checkRooms(planted('src/attic/a.ts', ''), house)).toHaveLength(1);
    expect(checkRooms(planted('src/a.ts', ''), house)).toHaveLength(1);
    expect(checkRooms(planted('tools/a.ts', ''), house)).toHaveLength(1);
  });

  test('refuses default exports, barrels and whole re-exports', () => {
    const exports = (text: string, path = 'src/net/a.ts'): string[] =>
      checkExports(planted(path, text), /^cli\/commands\//);
    expect(exports('export default class A {}')).toHaveLength(1);
    expect(exports('export default class A {}', 'cli/commands/a.ts')).toEqual([]);
    expect(exports("export * from './b.ts';")).not.toEqual([]);
    expect(exports("export { b } from './b.ts';\nexport { c } from './c.ts';")).toHaveLength(1);
    expect(exports("export { b } from './b.ts';\nconst x = 1;")).toEqual([]);
    expect(exports('', 'src/net/index.ts')).toHaveLength(1);
  });

  test('finds cycles, of types only where asked', () => {
    const ring = (first: string): Source[] => [
      scan('src/net/a.ts', `${first} { b } from './b.ts';`),
      scan('src/net/b.ts', "import { c } from './c.ts';"),
      scan('src/net/c.ts', "import { a } from './a.ts';"),
    ];
    expect(checkCycles(ring('import'), { types: false })).toHaveLength(1);
    expect(checkCycles(ring('import type'), { types: true })).toHaveLength(1);
    expect(checkCycles(ring('import type'), { types: false })).toEqual([]);
  });

  test('finds an export that no other file uses', () => {
    const sources = [
      scan('src/net/a.ts', 'export const a = 1;\nexport const b = 2;\nexport type T = string;'),
      scan('src/net/b.ts', "import { a } from './a.ts'; // b\nuse(a, 'b');"),
    ];
    expect(checkUnusedExports(sources, sources)).toEqual([
      'src/net/a.ts:1 exports b, which no other file uses',
      'src/net/a.ts:1 exports T, which no other file uses',
    ]);
  });

  test('finds a mark in a comment and a file without a heading', () => {
    const text = `// ${['TO', 'DO'].join('')}: mend\n`;
    expect(checkMarks(planted('src/net/a.ts', text), marks)).toHaveLength(1);
    expect(checkHeaders(planted('src/net/a.ts', text))).toHaveLength(1);
    expect(checkHeaders(planted('src/net/a.ts', '/** Does it. */\n'))).toEqual([]);
  });
});
