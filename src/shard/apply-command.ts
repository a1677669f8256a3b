/** Which file applies which command. */
import { unreachable } from '../model/assert.ts';
import type { ItemReply, ShardCommand } from '../model/command.ts';
import { applyAdopt } from './commands/adopt.ts';
import { applyAssign } from './commands/assign.ts';
import { applyBackfill } from './commands/backfill.ts';
import { applyCancel } from './commands/cancel.ts';
import { applyCharge } from './commands/charge.ts';
import { applyCreateSchedule } from './commands/create-schedule.ts';
import { applyDeleteSchedule } from './commands/delete-schedule.ts';
import { applyExpire } from './commands/expire.ts';
import { applyFinish } from './commands/finish.ts';
import { applyFire } from './commands/fire.ts';
import { applyLose } from './commands/lose.ts';
import { applyOverdue } from './commands/overdue.ts';
import { applyPauseSchedule } from './commands/pause-schedule.ts';
import { applyPurge } from './commands/purge.ts';
import { applyRecover } from './commands/recover.ts';
import { applyReplay } from './commands/replay.ts';
import { applyStart } from './commands/start.ts';
import { applySubmit, type PreparedSpec } from './commands/submit.ts';
import { applyTriggerSchedule } from './commands/trigger-schedule.ts';
import { applyUnassign } from './commands/unassign.ts';
import type { Turn } from './turn.ts';

/** The replies to its items, in their order. */
export function applyCommand(
  turn: Turn,
  command: ShardCommand,
  specs: PreparedSpec[],
): ItemReply[] {
  switch (command.kind) {
    case 'submit':
      return applySubmit(turn, command, specs);
    case 'assign':
      return applyAssign(turn, command);
    case 'unassign':
      return applyUnassign(turn, command);
    case 'start':
      return applyStart(turn, command);
    case 'finish':
      return applyFinish(turn, command);
    case 'lose':
      return applyLose(turn, command);
    case 'cancel':
      return applyCancel(turn, command);
    case 'recover':
      return applyRecover(turn, command);
    case 'expire':
      return applyExpire(turn, command);
    case 'overdue':
      return applyOverdue(turn, command);
    case 'charge':
      return applyCharge(turn, command);
    case 'adopt':
      return applyAdopt(turn, command);
    case 'replay':
      return applyReplay(turn, command, specs);
    case 'purge':
      return applyPurge(turn, command);
    case 'createSchedule':
      return applyCreateSchedule(turn, command);
    case 'fire':
      return applyFire(turn, command);
    case 'triggerSchedule':
      return applyTriggerSchedule(turn, command);
    case 'backfill':
      return applyBackfill(turn, command);
    case 'pauseSchedule':
      return applyPauseSchedule(turn, command);
    case 'deleteSchedule':
      return applyDeleteSchedule(turn, command);
    default:
      return unreachable(command, 'shard command');
  }
}
