/** The file system that holds a node's data directory, as far as the node looks after it. */
export interface Disk {
  /** Bytes that this node may still write, and the size of the whole. */
  room(): Promise<{ readonly freeBytes: number; readonly totalBytes: number }>;
  /** Whether the ballast is there in full. */
  hasBallast(): Promise<boolean>;
  /**
   * Makes the ballast: space that can be given up to be able to open the store again. Leaves off,
   * with nothing left behind, as soon as it is not `wanted` any more. Answers whether it is there.
   */
  makeBallast(wanted: () => boolean): Promise<boolean>;
}
