/**
 * Protocol ids, the gossip topic and the timing of `net`, in one place. The ids are part of the
 * wire format: a change that old nodes cannot read needs a new number at the end.
 */

/** Length-prefixed frames in one direction: the opener writes, the other side only reads. */
export const framesProtocol = '/tsched/frames/1';

/** Length-prefixed messages in both directions, one stream per transfer. */
export const bulkProtocol = '/tsched/bulk/1';

/** The only topic that a node subscribes to or lets others subscribe to. */
export const advertTopic = '/tsched/advert/1';

/** Every frame is led by its length as a big-endian u32. A length of 0 is a keep-alive. */
export const frameHeaderBytes = 4;

export const timing = {
  /** Backoff between redials: doubles up to the most, plus up to half of it as jitter. */
  redialMsMin: 50,
  redialMsMax: 2_000,
  /** A loss without a refusal for this long is "not refused"; until then redials are quick. */
  lossDecisionMs: 250,
  undecidedMsMin: 8,
  /** One attempt to dial, all addresses together, and one address of it. */
  dialMs: 5_000,
  addressDialMs: 2_000,
  openStreamMs: 2_000,
  /** How long the end of a bulk stream may take. */
  closeStreamMs: 10_000,
  /** Quiet links carry a keep-alive at this pace; a link this silent is taken down. */
  keepAliveMs: 1_000,
  silenceMs: 3_000,
  /** Silence allowed to a peer that has not opened its stream to us yet. */
  firstFrameMs: 10_000,
  /** A queue that cannot be written to for so long has its stream opened anew. */
  stalledMs: 10_000,
  /** A stream that lived shorter than this counts as a failed attempt. */
  shortLifeMs: 1_000,
  /** How long a connected peer may go without a gossip subscription or stream. */
  gossipPatienceMs: 10_000,
} as const;
