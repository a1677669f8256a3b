/**
 * The checks behind the house rules, each a function from sources to breaches. What is allowed is
 * data that `test/tidy.test.ts` holds; nothing here knows the name of a room.
 */
import { posix } from 'node:path';
import { lineAt, type Source } from './scan.ts';

/** One broken rule, as `path:line what is wrong`. */
export type Breach = string;

export interface House {
  /** Rooms that a room may import. A room that is not listed may not exist. */
  readonly rooms: Readonly<Record<string, readonly string[]>>;
  /** Imports against the table that exist by design. */
  readonly doors: readonly Door[];
  /** Rooms that may import a package. A package that is not listed may not be imported. */
  readonly walls: Readonly<Record<string, readonly string[]>>;
  /** Rooms without IO, clock, randomness or promises. */
  readonly pureRooms: readonly string[];
  /** Files outside those rooms that are as pure, with all they import of their own room. */
  readonly pureFiles: readonly string[];
  readonly pureBans: readonly Ban[];
}

export interface Door {
  readonly from: RegExp;
  readonly to: RegExp;
  readonly only?: 'types' | 'dynamic' | undefined;
}

export interface Ban {
  readonly pattern: RegExp;
  readonly instead: string;
  /** Files that may, each with its reason beside it in the table. */
  readonly except?: readonly string[] | undefined;
  readonly unlessExplained?: boolean | undefined;
}

/** `src/raft/core.ts` is in `raft`, `cli/run.ts` in `cli`. */
export function roomOf(path: string): string {
  const [top, second, third] = path.split('/');
  if (top !== 'src') return top!;
  return third === undefined ? 'src' : second!;
}

/** The file that a relative import means. */
export const targetOf = (path: string, specifier: string): string =>
  posix.normalize(posix.join(posix.dirname(path), specifier));

const isRelative = (specifier: string): boolean => specifier.startsWith('.');

const packageOf = (specifier: string): string =>
  specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');

export function checkRooms(sources: readonly Source[], house: House): Breach[] {
  return sources
    .filter(source => house.rooms[roomOf(source.path)] === undefined)
    .map(source => `${source.path}:1 belongs to no room`);
}

export function checkImports(sources: readonly Source[], house: House): Breach[] {
  const paths = new Set(sources.map(source => source.path));
  const breaches: Breach[] = [];
  for (const source of sources) {
    const room = roomOf(source.path);
    for (const { specifier, line, typeOnly, dynamic } of source.imports) {
      if (!isRelative(specifier)) continue;
      const target = targetOf(source.path, specifier);
      const at = `${source.path}:${line}`;
      if (!/\.(ts|mjs|json)$/.test(target)) {
        breaches.push(`${at} imports ${specifier} without its extension`);
        continue;
      }
      if (target.endsWith('.ts') && !paths.has(target)) {
        breaches.push(`${at} imports ${target}, which is not there`);
      }
      const other = roomOf(target);
      if (other === room || house.rooms[room]?.includes(other)) continue;
      const door = house.doors.find(
        ({ from, to, only }) =>
          from.test(source.path) &&
          to.test(target) &&
          (only !== 'types' || typeOnly) &&
          (only !== 'dynamic' || dynamic),
      );
      if (door === undefined) breaches.push(`${at} ${room} may not import ${target}`);
    }
  }
  return breaches;
}

export function checkWalls(sources: readonly Source[], house: House): Breach[] {
  const breaches: Breach[] = [];
  for (const source of sources) {
    const room = roomOf(source.path);
    for (const { specifier, line } of source.imports) {
      if (isRelative(specifier)) continue;
      const name = specifier.startsWith('node:') ? 'node:' : packageOf(specifier);
      const rooms = house.walls[name];
      const at = `${source.path}:${line}`;
      if (rooms === undefined) breaches.push(`${at} imports ${name}, which no room may`);
      else if (!rooms.includes(room)) breaches.push(`${at} ${room} may not import ${name}`);
    }
  }
  return breaches;
}

/** Files that the pure ones import within their own room are held to the same. */
function pureSources(sources: readonly Source[], house: House): Source[] {
  const byPath = new Map(sources.map(source => [source.path, source]));
  const pure = new Set(sources.filter(source => house.pureRooms.includes(roomOf(source.path))));
  const queue = house.pureFiles.flatMap(path => byPath.get(path) ?? []);
  for (let source = queue.pop(); source !== undefined; source = queue.pop()) {
    if (pure.has(source)) continue;
    pure.add(source);
    for (const { specifier } of source.imports) {
      const found = byPath.get(targetOf(source.path, specifier));
      if (found !== undefined && roomOf(found.path) === roomOf(source.path)) queue.push(found);
    }
  }
  return [...pure];
}

export function checkPurity(sources: readonly Source[], house: House): Breach[] {
  const pure = pureSources(sources, house);
  const breaches = pure.flatMap(source =>
    source.imports
      .filter(({ specifier }) => specifier.startsWith('node:'))
      .map(({ specifier, line }) => `${source.path}:${line} is pure and imports ${specifier}`),
  );
  return [...breaches, ...checkBans(pure, house.pureBans)];
}

/**
 * Every match of a banned pattern in code (not in comments, strings or regular expressions). Where
 * a ban says so, a comment in the match or on the line above it excuses it: it says why.
 */
export function checkBans(sources: readonly Source[], bans: readonly Ban[]): Breach[] {
  const breaches: Breach[] = [];
  for (const source of sources) {
    for (const { pattern, instead, except, unlessExplained } of bans) {
      if (except?.includes(source.path)) continue;
      for (const match of source.code.matchAll(new RegExp(pattern, 'g'))) {
        if (unlessExplained === true && isExplained(source, match.index, match[0].length)) continue;
        const found = match[0].trim().replace(/\s+/g, ' ');
        breaches.push(
          `${source.path}:${lineAt(source.code, match.index)} has \`${found}\`: ${instead}`,
        );
      }
    }
  }
  return breaches;
}

function isExplained({ text }: Source, start: number, length: number): boolean {
  const lineStart = text.lastIndexOf('\n', start) + 1;
  const above = text.slice(text.lastIndexOf('\n', lineStart - 2) + 1, lineStart);
  return /\/\/|\/\*/.test(text.slice(start, start + length)) || /^\s*(\/\/|\*)/.test(above);
}

/** Marks that block a merge, in code and comments alike. */
export function checkMarks(sources: readonly Source[], marks: readonly RegExp[]): Breach[] {
  return sources.flatMap(source =>
    marks.flatMap(mark =>
      [...source.text.matchAll(new RegExp(mark, 'g'))].map(
        match => `${source.path}:${lineAt(source.text, match.index)} has ${match[0]}`,
      ),
    ),
  );
}

export interface SizeBounds {
  readonly linesMax: number;
  readonly columnsMax: number;
}

export function checkSizes(sources: readonly Source[], bounds: SizeBounds): Breach[] {
  const breaches: Breach[] = [];
  for (const source of sources) {
    const lines = source.text.replace(/\n$/, '').split('\n');
    const code = source.code.split('\n');
    if (lines.length > bounds.linesMax) {
      breaches.push(`${source.path}:${lines.length} has over ${bounds.linesMax} lines`);
    }
    lines.forEach((line, position) => {
      if ([...line].length <= bounds.columnsMax || isLiteral(line, code[position]!)) return;
      breaches.push(`${source.path}:${position + 1} is over ${bounds.columnsMax} columns wide`);
    });
  }
  return breaches;
}

/**
 * Whether a line is wide by what it quotes: the formatter breaks no string, and nor does the rule.
 */
function isLiteral(line: string, code: string): boolean {
  const comment =
    /^\s*(\*|\/\*|\/\/)/.test(line) || / \/\/ /.test(line.slice(code.trimEnd().length - 4));
  return !comment && code.trim().replace(/\s{2,}/g, '').length < 80;
}

/** Kebab-case, and none of the words that name nothing. */
export function checkNames(sources: readonly Source[], empty: readonly string[]): Breach[] {
  const breaches: Breach[] = [];
  for (const { path } of sources) {
    for (const part of path.split('/')) {
      const name = part.replace(/(\.(test|config))?\.(ts|mjs)$/, '');
      if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name)) breaches.push(`${path}:1 is not kebab-case`);
      const last = name.split('-').at(-1)!;
      if (empty.includes(last)) breaches.push(`${path}:1 is named by an empty word: ${last}`);
    }
  }
  return breaches;
}

/** `allowed` are files that may: commands of the CLI are found by their default export. */
export function checkExports(sources: readonly Source[], allowed: RegExp): Breach[] {
  const breaches: Breach[] = [];
  for (const { path, code } of sources) {
    const at = (position: number): string => `${path}:${lineAt(code, position)}`;
    for (const match of code.matchAll(/^export\s+default\b|\bas\s+default\b/gm)) {
      if (!allowed.test(path)) breaches.push(`${at(match.index)} has a default export`);
    }
    for (const match of code.matchAll(/^export\s*\*/gm)) {
      breaches.push(`${at(match.index)} exports all of another file`);
    }
    const statements = code.replace(/^\s*(import|export)\b[^;]*?\bfrom\s*'[^']*';/gm, '');
    const reexports = /^export\b[^;]*?\bfrom\s*'/m.test(code);
    if (reexports && statements.trim() === '') breaches.push(`${path}:1 is a barrel`);
    if (/(^|\/)index\.ts$/.test(path)) breaches.push(`${path}:1 is named index`);
  }
  return breaches;
}

/** A file is headed by what it does and its contract. */
export function checkHeaders(sources: readonly Source[]): Breach[] {
  return sources
    .filter(({ text }) => !/^(#!.*\n)?\/\*\*/.test(text))
    .map(({ path }) => `${path}:1 does not begin with what it is for`);
}

/** Cycles between files. Imports of types count where asked: a cycle of ideas is one too. */
export function checkCycles(
  sources: readonly Source[],
  options: { readonly types: boolean },
): Breach[] {
  const byPath = new Map(sources.map(source => [source.path, source]));
  const done = new Set<string>();
  const trail: string[] = [];
  const breaches: Breach[] = [];
  const visit = (path: string): void => {
    if (done.has(path)) return;
    const start = trail.indexOf(path);
    if (start >= 0) {
      breaches.push(`${path}:1 is in a cycle: ${[...trail.slice(start), path].join(' → ')}`);
      return;
    }
    trail.push(path);
    for (const { specifier, typeOnly } of byPath.get(path)?.imports ?? []) {
      if (isRelative(specifier) && (options.types || !typeOnly)) visit(targetOf(path, specifier));
    }
    trail.pop();
    done.add(path);
  };
  for (const { path } of sources) visit(path);
  return breaches;
}

/**
 * Exports that no other file mentions. A type is excused where the rest of its own file mentions
 * it: it is then part of the shape of another export. A search of words: it cannot tell two things
 * of one name apart, so what it finds is certain and what it misses is not.
 */
export function checkUnusedExports(
  sources: readonly Source[],
  readers: readonly Source[],
): Breach[] {
  const filesWith = new Map<string, Set<string>>();
  for (const { path, code } of readers) {
    for (const [word] of code.matchAll(/[\w$]+/g)) {
      const files = filesWith.get(word) ?? new Set();
      filesWith.set(word, files.add(path));
    }
  }
  const breaches: Breach[] = [];
  for (const { path, code, exports } of sources) {
    for (const name of exports) {
      if ([...(filesWith.get(name) ?? [])].some(file => file !== path)) continue;
      const isType = new RegExp(`^export (interface|type) ${name}\\b`, 'm').test(code);
      const mentions = [...code.matchAll(/[\w$]+/g)].filter(([word]) => word === name).length;
      if (isType && mentions > 1) continue;
      breaches.push(`${path}:1 exports ${name}, which no other file uses`);
    }
  }
  return breaches;
}
