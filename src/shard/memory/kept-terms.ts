/**
 * What a shard keeps of a spec in memory, as bytes: they stand in the rows of its unsettled tasks,
 * so that a start reads one row for each task and not two, of which the larger is mostly a command.
 *
 *   length of the traits · traits · flags u8 (1 idempotency key, 2 line) · slot of the key u16? ·
 *   slot u16, hold u8, width and hash of the line?
 *
 * The hash of an idempotency key is in the row by itself. Traits begin with a version.
 */
import { ByteReader, ByteWriter, DecodeError } from '../../model/bytes.ts';
import type { TaskId } from '../../model/ids.ts';
import { limits } from '../../model/limits.ts';
import { readPairs, writePairs } from '../../model/pairs.ts';
import { tiers } from '../../model/resources.ts';
import { readResources, writeResources } from '../../model/spec.ts';
import { priorities, schedulingFields } from '../../model/spec-scheduling.ts';
import { whens } from '../../model/when.ts';
import type { KeyHash, LineKey } from './key-hash.ts';
import { everyFailure, makeDemand, makeLane, nobody, type TraitValues } from './traits.ts';

/** Longer ones are read from the row of the spec: tasks that share it would have them each. */
const keptBytesMax = 256;

const version = 1;
const keyFlag = 1;
const lineFlag = 2;
const lineHolds = ['orderKey', 'permit'] as const;

const text = (reader: ByteReader): string => reader.text(limits.specBytesMax);
const { offPeak: offPeakField } = schedulingFields;

/** The word at a position of a list that grows at its end only. */
function wordAt<T>(words: readonly T[], position: number, what: string): T {
  const word = words[position];
  if (word === undefined) throw new DecodeError(`kept terms: unknown ${what} ${position}`);
  return word;
}

function writeTraits(writer: ByteWriter, traits: TraitValues): void {
  const { demand, lane, backoff, retry } = traits;
  writer.u8(version).text(traits.tenant).u8(tiers.indexOf(demand.tier));
  writeResources(writer, demand.request);
  writePairs(writer, demand.require);
  writer.optional(demand.prefer, writePairs);
  writer.optional(demand.spread, (w, { label, group }) => w.text(label).text(group));
  writer.optional(demand.gang, (w, size) => w.varint(size));
  writer.optional(demand.reservation, (w, { name, tenant }) => w.text(name).text(tenant));
  writer.u8(lane.priority).optional(lane.offPeak, offPeakField.write);
  writer.varint(traits.toleranceMs).varint(traits.expireMs).varint(traits.capMs);
  writer.varint(traits.attempts).varint(backoff.initialMs).varint(backoff.maxMs);
  writer.varint(traits.leaseMs).varint(traits.notBeforeMs).varint(traits.delayMs);
  for (const causes of [retry.on, retry.not]) writer.list(causes, (w, cause) => w.text(cause));
  writer.list(traits.after, (w, id) => w.text(id)).u8(whens.indexOf(traits.when));
}

/** Decodes traits; what equal ones share is not shared yet. Throws `DecodeError`. */
export function readTraits(bytes: Uint8Array): TraitValues {
  const reader = new ByteReader(bytes);
  reader.version(version, 'kept terms');
  const tenant = text(reader);
  const demand = makeDemand({
    tier: wordAt(tiers, reader.u8(), 'tier'),
    request: readResources(reader),
    require: readPairs(reader),
    prefer: reader.optional(readPairs),
    spread: reader.optional(r => ({ label: text(r), group: text(r) })),
    gang: reader.optional(r => r.varint()),
    reservation: reader.optional(r => ({ name: text(r), tenant: text(r) })),
  });
  const priority = reader.u8();
  wordAt(priorities, priority, 'priority');
  const offPeak = reader.optional(offPeakField.read);
  const times = {
    toleranceMs: reader.varint(),
    expireMs: reader.varint(),
    capMs: reader.varint(),
    attempts: reader.varint(),
    backoff: { initialMs: reader.varint(), maxMs: reader.varint() },
    leaseMs: reader.varint(),
    notBeforeMs: reader.varint(),
    delayMs: reader.varint(),
  };
  const on = reader.list(text, limits.causesMax);
  const not = reader.list(text, limits.causesMax);
  const after = reader.list(r => text(r) as TaskId, limits.afterMax);
  const when = wordAt(whens, reader.u8(), 'condition');
  reader.end('kept terms');
  return {
    ...{ tenant, demand, ...times, when },
    lane: makeLane({ demand, tenant, priority, offPeak }),
    retry: on.length + not.length === 0 ? everyFailure : { on, not },
    after: after.length === 0 ? nobody : after,
  };
}

/** The keys of a spec, beside its traits. */
export interface SpecKeys {
  readonly key: KeyHash | undefined;
  readonly line: LineKey | undefined;
}

/** Encodes terms, again and again the same for specs that differ in their command only. */
export class TermsEncoder {
  readonly #writer = new ByteWriter(keptBytesMax);
  #newest: { readonly traits: TraitValues; readonly bytes: Uint8Array } | undefined;

  /** `undefined` for terms that are too long to be kept. */
  encode(traits: TraitValues, { key, line }: SpecKeys): Uint8Array | undefined {
    const plain = key === undefined && line === undefined;
    if (plain && this.#newest?.traits === traits) return this.#newest.bytes;
    const writer = this.#writer.reset();
    writer.nested(w => writeTraits(w, traits));
    writer.u8((key ? keyFlag : 0) | (line ? lineFlag : 0));
    if (key) writer.u16(key.slot);
    if (line) {
      writer.u16(line.slot).u8(lineHolds.indexOf(line.hold as (typeof lineHolds)[number]));
      writer.varint(line.width).varint(line.hash);
    }
    if (writer.length > keptBytesMax) return undefined;
    const bytes = writer.finish();
    if (plain) this.#newest = { traits, bytes };
    return bytes;
  }
}

/** Reads the keys behind the traits; `hash` is that of the idempotency key. */
function readKeys(reader: ByteReader, hash: { high: number; low: number } | undefined): SpecKeys {
  const flags = reader.u8();
  if (flags > (keyFlag | lineFlag)) throw new DecodeError(`kept terms: unknown flags ${flags}`);
  const hasKey = (flags & keyFlag) !== 0;
  if (hasKey !== (hash !== undefined)) throw new DecodeError('kept terms: the key is missing');
  const key = hash && { ...hash, slot: reader.u16() };
  if ((flags & lineFlag) === 0) return { key, line: undefined };
  const slot = reader.u16();
  const hold = wordAt(lineHolds, reader.u8(), 'hold');
  return { key, line: { slot, hold, width: reader.varint(), hash: reader.varint() } };
}

/**
 * Opens terms: the bytes of the traits, and the keys. Traits are decoded by whoever does not know
 * these bytes. Throws `DecodeError`.
 */
export function openTerms(
  bytes: Uint8Array,
  hash: { readonly high: number; readonly low: number } | undefined,
): { readonly traits: Uint8Array; readonly keys: SpecKeys } {
  const reader = new ByteReader(bytes);
  const traits = reader.bytes(keptBytesMax);
  const keys = readKeys(reader, hash);
  reader.end('kept terms');
  return { traits, keys };
}
