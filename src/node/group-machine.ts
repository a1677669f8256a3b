/** A replicated state machine as its replica drives it. */

/** What the drive loop needs of a state machine; the shard's and the registry's both are one. */
export interface GroupMachine {
  readonly dirtyRows: number;
  readonly dirtyBytes: number;
  /** What is stored, in key order and some rows at a time; then the index that they stand for. */
  loadRows(rows: Iterable<readonly [Uint8Array, Uint8Array]>): void;
  loaded(applied: number): void;
  apply(
    index: number,
    data: Uint8Array,
  ): { readonly replies: readonly unknown[]; readonly effects: readonly unknown[] };
  takeFlush(maxRows: number):
    | {
        readonly rows: readonly (readonly [Uint8Array, Uint8Array | undefined])[];
        readonly token: number;
      }
    | undefined;
  flushed(token: number): void;
  digest(): number;
}
