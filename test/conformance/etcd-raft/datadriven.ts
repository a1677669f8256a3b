/**
 * Reads and writes data-driven test files: a directive line, optional input lines, `----`, and the
 * expected output up to a blank line (or between doubled `----` lines when it has blank lines).
 * Comment lines and blank lines between directives are kept, so that a file can be rewritten.
 */

export interface Argument {
  readonly key: string;
  readonly values: readonly string[];
}

export interface Directive {
  /** Line of the command in its file, from 1. */
  readonly line: number;
  readonly command: string;
  readonly args: readonly Argument[];
  readonly input: string;
  readonly expected: readonly string[];
}

/** A directive, or a line that stands between directives. */
export interface Block {
  readonly directive?: Directive | undefined;
  /** The file's own lines up to and including `----`, or the line in between. */
  readonly head: readonly string[];
}

const SEPARATOR = '----';

/** Splits a command line into words; a parenthesis keeps its words together. */
function words(line: string): string[] {
  return line.match(/(?:[^\s()]|\([^)]*\))+/g) ?? [];
}

function parseArgument(word: string): Argument {
  const at = word.indexOf('=');
  if (at < 0) return { key: word, values: [] };
  const key = word.slice(0, at);
  const text = word.slice(at + 1);
  const inner = text.startsWith('(') && text.endsWith(')') ? text.slice(1, -1) : text;
  return { key, values: inner.split(/[\s,]+/).filter(value => value !== '') };
}

/** Parses a file. Throws on a directive without `----`. */
export function parseFile(text: string): Block[] {
  const lines = text.split('\n');
  const blocks: Block[] = [];
  let at = 0;
  while (at < lines.length) {
    const start = at;
    let commandLine = lines[at++]!;
    if (commandLine.trim() === '' || commandLine.trimStart().startsWith('#')) {
      blocks.push({ head: [commandLine] });
      continue;
    }
    while (commandLine.endsWith('\\')) commandLine = `${commandLine.slice(0, -1)} ${lines[at++]}`;
    const inputStart = at;
    while (at < lines.length && lines[at] !== SEPARATOR) at++;
    if (at >= lines.length) throw new Error(`line ${start + 1}: a directive without ----`);
    const input = lines.slice(inputStart, at).join('\n');
    at++;
    const head = lines.slice(start, at);
    const expected: string[] = [];
    if (lines[at] === SEPARATOR) {
      at++;
      while (at < lines.length && !(lines[at] === SEPARATOR && lines[at + 1] === SEPARATOR)) {
        expected.push(lines[at++]!);
      }
      at += 2;
    } else {
      while (at < lines.length && lines[at] !== '') expected.push(lines[at++]!);
    }
    const [command = '', ...rest] = words(commandLine);
    const args = rest.map(parseArgument);
    blocks.push({ head, directive: { line: start + 1, command, args, input, expected } });
  }
  return blocks;
}

/** Writes blocks back, with `outputs` (by directive, in order) as what is expected. */
export function printFile(
  blocks: readonly Block[],
  outputs: readonly (readonly string[])[],
): string {
  const lines: string[] = [];
  let next = 0;
  for (const { head, directive } of blocks) {
    lines.push(...head);
    if (directive === undefined) continue;
    const output = outputs[next++] ?? [];
    if (output.includes('')) lines.push(SEPARATOR, ...output, SEPARATOR, SEPARATOR);
    else lines.push(...output);
  }
  return lines.join('\n');
}

/** The values of argument `key`, empty if it is not given. */
export function valuesOf(directive: Directive, key: string): readonly string[] {
  return directive.args.find(arg => arg.key === key)?.values ?? [];
}

/** The arguments that are plain numbers. */
export function numbersOf(directive: Directive): number[] {
  const plain = directive.args.filter(arg => arg.values.length === 0);
  return plain.map(arg => {
    const value = Number(arg.key);
    if (!Number.isSafeInteger(value)) throw new Error(`not a number: ${arg.key}`);
    return value;
  });
}
