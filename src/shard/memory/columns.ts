/**
 * Columns of numbers that grow: one typed array per field of a table. They begin small and double;
 * large ones grow by an eighth, as what a shard has no use for yet is what a node has 64 times.
 */

export type Words = Uint32Array<ArrayBuffer>;

/** Rows beyond which a table no longer doubles. */
const doublingMax = 4_096;

/** How many rows a table is to have room for that is full. */
export const grown = (rows: number): number =>
  rows < doublingMax ? rows * 2 : rows + (rows >>> 3);

export const resize32 = (column: Words, length: number): Words =>
  new Uint32Array(column.buffer.transfer(length * 4));
export const resize16 = (
  column: Uint16Array<ArrayBuffer>,
  length: number,
): Uint16Array<ArrayBuffer> => new Uint16Array(column.buffer.transfer(length * 2));
export const resize8 = (column: Uint8Array<ArrayBuffer>, length: number): Uint8Array<ArrayBuffer> =>
  new Uint8Array(column.buffer.transfer(length));
export const resize64 = (
  column: Float64Array<ArrayBuffer>,
  length: number,
): Float64Array<ArrayBuffer> => new Float64Array(column.buffer.transfer(length * 8));
