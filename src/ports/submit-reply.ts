/** What becomes of a task or a workflow that was submitted. */
import type { ErrorCode } from '../model/errors.ts';
import type { TaskId } from '../model/ids.ts';

export type SubmitReply =
  | {
      readonly ok: true;
      readonly id: TaskId;
      readonly shard: number;
      readonly repeated: boolean;
      /** By when it should start; missing where something holds it, or it has started already. */
      readonly startBoundMs?: number | undefined;
    }
  | {
      readonly ok: false;
      /** Set where an ID had been drawn: repeat with it. */
      readonly id?: TaskId | undefined;
      readonly code: ErrorCode;
      readonly message: string;
      readonly retryAfterMs?: number | undefined;
    };
