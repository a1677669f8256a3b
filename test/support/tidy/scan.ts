/**
 * Reading of TypeScript source for the house rules: which characters are code, what a file imports
 * and what it exports. No parser: one pass that knows comments, strings, templates and regular
 * expressions and blanks their content, so that a rule about code is not set off by a word in a
 * sentence. What is blanked is replaced by as many spaces, so that positions and line numbers stay.
 */

/** What a file holds, read once. */
export interface Source {
  /** From the root of the project, with slashes. */
  readonly path: string;
  readonly text: string;
  /** `text` with the content of comments, strings and regular expressions blanked. */
  readonly code: string;
  readonly imports: readonly Import[];
  readonly exports: readonly string[];
}

export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** Only types: nothing is left of it at run time. */
  readonly typeOnly: boolean;
  readonly dynamic: boolean;
}

/** A slash after one of these begins a regular expression, not a division. */
const beforePattern =
  /(?:^|[([{,;:=!&|?+\-*%^~<>}]|\b(?:return|typeof|case|in|of|do|else|void))\s*$/;

const blankOf = (text: string): string => text.replace(/[^\n]/g, ' ');

/** End of a quoted string that starts at `start`: the position after the closing quote. */
function endOfString(text: string, start: number): number {
  const quote = text[start];
  let at = start + 1;
  while (at < text.length && text[at] !== quote) at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

function endOfPattern(text: string, start: number): number {
  let at = start + 1;
  let inClass = false;
  while (at < text.length && (inClass || text[at] !== '/') && text[at] !== '\n') {
    if (text[at] === '[') inClass = true;
    else if (text[at] === ']') inClass = false;
    at += text[at] === '\\' ? 2 : 1;
  }
  return at + 1;
}

/** Blanks a template but for what its `${...}` hold; returns the code and the position after it. */
function scanTemplate(text: string, start: number): [string, number] {
  let code = '`';
  let at = start + 1;
  while (at < text.length && text[at] !== '`') {
    if (text[at] === '$' && text[at + 1] === '{') {
      const [inner, end] = scanCode(text, at + 2, '}');
      code += `\${${inner}}`;
      at = end + 1;
    } else {
      const length = text[at] === '\\' ? 2 : 1;
      code += blankOf(text.slice(at, at + length));
      at += length;
    }
  }
  return [`${code}\``, at + 1];
}

/** Scans from `start` to the end, or to the closing brace of a template's `${`. */
function scanCode(text: string, start: number, until = ''): [string, number] {
  let code = '';
  let depth = 0;
  let at = start;
  while (at < text.length) {
    const two = text.slice(at, at + 2);
    const character = text[at]!;
    if (until !== '' && depth === 0 && character === until) return [code, at];
    if (character === '{') depth++;
    else if (character === '}') depth--;
    if (two === '//' || two === '/*') {
      const closing = two === '//' ? text.indexOf('\n', at) : text.indexOf('*/', at) + 2;
      const end = closing < at + 2 ? text.length : closing;
      code += blankOf(text.slice(at, end));
      at = end;
    } else if (character === "'" || character === '"') {
      const end = endOfString(text, at);
      code += character + blankOf(text.slice(at + 1, end - 1)) + character;
      at = end;
    } else if (character === '`') {
      const [template, end] = scanTemplate(text, at);
      code += template;
      at = end;
    } else if (character === '/' && beforePattern.test(code.slice(-40))) {
      const end = endOfPattern(text, at);
      code += `/${blankOf(text.slice(at + 1, end - 1))}/`;
      at = end;
    } else {
      code += character;
      at++;
    }
  }
  return [code, at];
}

/** `text` with comments, strings and regular expressions blanked, of the same length. */
export const codeOf = (text: string): string => scanCode(text, 0)[0];

export const lineAt = (text: string, position: number): number => {
  let line = 1;
  for (let at = text.indexOf('\n'); at >= 0 && at < position; at = text.indexOf('\n', at + 1))
    line++;
  return line;
};

function importsOf(text: string, code: string): Import[] {
  const found: Import[] = [];
  const statement =
    /\b(import|export)\b(?!\s*\()([^;'"`]*?)(\bfrom\s*)?(['"])|\b(import)\s*\(\s*(['"])/g;
  for (const match of code.matchAll(statement)) {
    const dynamic = match[5] !== undefined;
    // `export const x = '...'` ends at a string too, but holds no `from`.
    if (!dynamic && match[3] === undefined && !/^import\s*['"]$/.test(match[0])) continue;
    const opening = match.index + match[0].length;
    found.push({
      specifier: text.slice(opening, endOfString(text, opening - 1) - 1),
      line: lineAt(text, match.index),
      typeOnly: dynamic
        ? /\btypeof\s*$/.test(code.slice(0, match.index))
        : /^\s*type\b/.test(match[2]!) || allTypes(match[2]!),
      dynamic,
    });
  }
  return found;
}

/** `{ type A, type B }`: nothing of it is left at run time under `verbatimModuleSyntax`. */
function allTypes(clause: string): boolean {
  const names = /^\s*\{([\s\S]*)\}\s*$/.exec(clause)?.[1];
  if (names === undefined) return false;
  const parts = names.split(',').filter(part => part.trim() !== '');
  return parts.length > 0 && parts.every(part => /^\s*type\s/.test(part));
}

function exportsOf(code: string): string[] {
  const names: string[] = [];
  const declared =
    /^export\s+(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?(?:function\*?|const|let|class|interface|type)\s+([\w$]+)/gm;
  for (const match of code.matchAll(declared)) names.push(match[1]!);
  for (const match of code.matchAll(/^export\s+(?:type\s+)?\{([^}]*)\}/gm)) {
    for (const part of match[1]!.split(',')) {
      const name = /([\w$]+)\s*$/.exec(part)?.[1];
      if (name !== undefined) names.push(name);
    }
  }
  return names;
}

/** Reads one file's text. */
export function scan(path: string, text: string): Source {
  const code = codeOf(text);
  return { path, text, code, imports: importsOf(text, code), exports: exportsOf(code) };
}
