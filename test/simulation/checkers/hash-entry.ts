/** A hash of all that a log entry says. */
import { hashText, mix32 } from '../../../src/model/slots.ts';
import type { Entry } from '../../../src/raft/message.ts';

export function hashEntry(entry: Entry): number {
  let hash = mix32(entry.term ^ (entry.type << 28));
  for (const byte of entry.data) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash ^ hashText(String(entry.data.length))) >>> 0;
}
