/**
 * A file of tasks: one YAML or JSON document, several with `---` between them, or a list. Every
 * value keeps its place in the file, so that a problem found later is told with line and column.
 */
import {
  type Document,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
} from 'yaml';
import { CliError } from '../cli-error.ts';

export interface Place {
  /** `task.yaml:3:7` */
  readonly place: string;
  /** The line and a caret under the column. */
  readonly excerpt: string;
}

/** One task of the file. */
export interface TaskSource {
  readonly value: unknown;
  /**
   * Where `pointer` (RFC 6901) stands: its key or its value; the nearest parent where it is absent.
   */
  locate(pointer: string, part: 'key' | 'value'): Place;
}

const excerptWidth = 76;

class SourceText {
  readonly #file: string;
  readonly #text: string;
  readonly #lines: LineCounter;

  constructor(file: string, text: string, lines: LineCounter) {
    this.#file = file;
    this.#text = text;
    this.#lines = lines;
  }

  /** `length` is how much of the line the caret underlines. */
  place(offset: number, length = 1): Place {
    const { line, col } = this.#lines.linePos(Math.min(offset, this.#text.length));
    const start = this.#lines.lineStarts[line - 1] ?? 0;
    const next = this.#text.indexOf('\n', start);
    const whole = this.#text.slice(start, next === -1 ? undefined : next).replace(/\r$/, '');
    // A long line is shown around the place.
    const from = Math.max(0, col - 1 - Math.floor(excerptWidth / 2));
    const cutFrom = whole.length > excerptWidth ? from : 0;
    const shown = whole.slice(cutFrom, cutFrom + excerptWidth).replaceAll('\t', ' ');
    const caretAt = col - 1 - cutFrom;
    const carets = Math.max(1, Math.min(length, shown.length - caretAt));
    const number = String(line);
    const margin = ' '.repeat(number.length);
    return {
      place: `${this.#file}:${line}:${col}`,
      excerpt: `${number} | ${shown}\n${margin} | ${' '.repeat(caretAt)}${'^'.repeat(carets)}`,
    };
  }
}

const unescapeStep = (step: string): string => step.replaceAll('~1', '/').replaceAll('~0', '~');

interface Found {
  readonly key: Node | undefined;
  readonly value: Node | undefined;
}

function childOf(parent: unknown, step: string): Found | undefined {
  if (isMap(parent)) {
    for (const pair of parent.items) {
      if (!isPair(pair) || !isScalar(pair.key) || String(pair.key.value) !== step) continue;
      return { key: pair.key, value: isNode(pair.value) ? pair.value : undefined };
    }
  }
  if (isSeq(parent) && /^\d+$/.test(step)) {
    const value = parent.items[Number(step)];
    if (isNode(value)) return { key: undefined, value };
  }
  return undefined;
}

function placeOfNode(source: SourceText, node: Node | undefined): Place | undefined {
  const range = node?.range;
  if (!range) return undefined;
  const length = isScalar(node) ? range[1] - range[0] : 1;
  return source.place(range[0], length);
}

function makeSource(
  source: SourceText,
  document: Document,
  root: Node,
  value: unknown,
): TaskSource {
  return {
    value,
    locate(pointer, part) {
      const steps = pointer.split('/').slice(1).map(unescapeStep);
      let found: Found = { key: undefined, value: root };
      let complete = true;
      for (const step of steps) {
        const alias = found.value as Node & { resolve?: (of: Document) => Node | undefined };
        const at = typeof alias?.resolve === 'function' ? alias.resolve(document) : found.value;
        const child = childOf(at, step);
        if (child === undefined) {
          complete = false;
          break;
        }
        found = child;
      }
      const wanted =
        complete && part === 'key' ? [found.key, found.value] : [found.value, found.key];
      return placeOfNode(source, wanted[0]) ?? placeOfNode(source, wanted[1]) ?? source.place(0);
    },
  };
}

/** The first error is told: those after it mostly follow from it. */
function yamlFailure(file: string, place: Place, message: string): CliError {
  const tooDeep = /call stack|Stack overflow/.test(message);
  const said = tooDeep ? 'lists or maps are nested too deeply here' : message;
  return new CliError('badYaml', `${place.place}: ${said}`, {
    // Only the excerpt is left to show: the sentence has the place and the message.
    problems: [{ place: '', message: '', excerpt: place.excerpt }],
    suggestion: tooDeep
      ? `Check the brackets of ${file}.`
      : `Correct that line of ${file}; a value with a colon, quote or bracket in it needs quotes.`,
  });
}

/**
 * Reads every task of `text`. `file` is its name in messages. Throws `badYaml` with line and
 * column.
 */
export function readTaskFile(text: string, file: string): readonly TaskSource[] {
  const lines = new LineCounter();
  const source = new SourceText(file, text, lines);
  let documents: Document.Parsed[];
  try {
    const parsed = parseAllDocuments(text, {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: true,
    });
    documents = Array.isArray(parsed) ? parsed : [];
  } catch (error) {
    // The parser recurses: a file of ten thousand brackets exhausts the stack.
    throw new CliError('badYaml', `${file} cannot be read: ${(error as Error).message}`);
  }
  for (const { errors, warnings } of documents) {
    const problem = errors[0] ?? warnings[0];
    if (problem === undefined) continue;
    const [from, to] = problem.pos;
    throw yamlFailure(file, source.place(from, to - from), problem.message);
  }
  const sources = documents.flatMap(document => sourcesOf(document, source, file));
  if (sources.length > 0) return sources;
  throw new CliError('badSpec', `${file} holds no task`, {
    suggestion: 'A task is a map such as `command: [echo, hello]`.',
  });
}

function sourcesOf(document: Document.Parsed, source: SourceText, file: string): TaskSource[] {
  const root = document.contents as Node | null;
  if (root === null || (isScalar(root) && root.value === null)) return [];
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw new CliError('badYaml', `${file}: ${(error as Error).message}`);
  }
  if (!isSeq(root) || !Array.isArray(value)) return [makeSource(source, document, root, value)];
  return root.items.map((item, position) =>
    makeSource(source, document, isNode(item) ? item : root, (value as unknown[])[position]),
  );
}
