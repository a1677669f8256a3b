/**
 * Text that came from outside (names, commands, reasons, output) made fit to be shown: control
 * characters, and those that turn the direction of a line, become visible signs. It is put on the
 * page as text alone; this is about what a reader would be misled by, not about markup.
 */

/** Whole sequences that a terminal would obey: CSI, OSC and the like, other escapes. */
const sequences =
  /\u001b\[[0-?]*[ -/]*[@-~]|\u001b[\]PX^_][^\u0007\u001b\n]{0,256}(?:\u0007|\u001b\\)|\u001b[ -/]+[0-~]|\u001b[0-Z\\^-~]|\u009b[0-?]*[ -/]*[@-~]/g;

/** The beginning of such a sequence at the end of a piece, or half a line end. */
const unfinished =
  /(?:\r|\u009b[0-?]*[ -/]*|\u001b(?:\[[0-?]*[ -/]*|[\]PX^_][^\u0007\u001b\n]{0,256}\u001b?|[ -/]*))$/;

const controls =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** `\x07`, `\u202e`: legible in every font, which the pictures of control characters are not. */
function picture(control: string): string {
  const code = control.charCodeAt(0).toString(16);
  return code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u${code.padStart(4, '0')}`;
}

/** One line: of a name, a command, a reason. */
export const oneLine = (text: string): string =>
  text
    .replaceAll(/ ?\r?\n\s*/g, ' ⏎ ')
    .replaceAll('\t', ' ')
    .replaceAll(controls, picture);

/**
 * The bytes of an output as text, piece by piece. Colours and cursor moves are left out; a sequence
 * or a character that a piece breaks in two is whole in the next.
 */
export class OutputText {
  readonly #decoder = new TextDecoder();
  #held = '';

  push(bytes: Uint8Array): string {
    const text = this.#held + this.#decoder.decode(bytes, { stream: true });
    const from = unfinished.exec(text)?.index ?? text.length;
    this.#held = text.slice(from);
    return shown(text.slice(0, from));
  }

  /** What was held back, once nothing more comes. */
  end(): string {
    const text = this.#held + this.#decoder.decode();
    this.#held = '';
    return shown(text);
  }
}

const shown = (text: string): string =>
  text.replaceAll(sequences, '').replaceAll(/\r\n?/g, '\n').replaceAll(controls, picture);
