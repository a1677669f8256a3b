/** Which file applies which command. */
import { unreachable } from '../model/assert.ts';
import type { ItemReply, ShardCommand } from '../model/command.ts';
import { applyAcknowledge } from './commands/acknowledge.ts';
import { applyAdopt } from './commands/adopt.ts';
import { applyAssign } from './commands/assign.ts';
import { applyAssignGang } from './commands/assign-gang.ts';
import { applyBackfill } from './commands/backfill.ts';
import { applyCancel } from './commands/cancel.ts';
import { applyCancelWorkflow } from './commands/cancel-workflow.ts';
import { applyCharge } from './commands/charge.ts';
import { applyCreateSchedule } from './commands/create-schedule.ts';
import { applyDeleteSchedule } from './commands/delete-schedule.ts';
import { applyDeliver } from './commands/deliver.ts';
import { applyExpire } from './commands/expire.ts';
import { applyFinish } from './commands/finish.ts';
import { applyFire } from './commands/fire.ts';
import { applyLose } from './commands/lose.ts';
import { applyOverdue } from './commands/overdue.ts';
import { applyPause } from './commands/pause.ts';
import { applyPauseSchedule } from './commands/pause-schedule.ts';
import { applyPurge } from './commands/purge.ts';
import { applyRecover } from './commands/recover.ts';
import { applyReplay } from './commands/replay.ts';
import { applyResume } from './commands/resume.ts';
import { applyStart } from './commands/start.ts';
import { applySubmit, type PreparedSpec } from './commands/submit.ts';
import { applySubmitWorkflow } from './commands/submit-workflow.ts';
import { applySuspended } from './commands/suspended.ts';
import { applyTriggerSchedule } from './commands/trigger-schedule.ts';
import { applyUnassign } from './commands/unassign.ts';
import { applyUpdate } from './commands/update.ts';
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
    case 'assignGang':
      return applyAssignGang(turn, command);
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
    case 'acknowledge':
      return applyAcknowledge(turn, command);
    case 'cancelWorkflow':
      return applyCancelWorkflow(turn, command);
    case 'deliver':
      return applyDeliver(turn, command);
    case 'pause':
      return applyPause(turn, command);
    case 'resume':
      return applyResume(turn, command);
    case 'submitWorkflow':
      return applySubmitWorkflow(turn, command, specs);
    case 'suspended':
      return applySuspended(turn, command);
    case 'update':
      return applyUpdate(turn, command);
    default:
      return unreachable(command, 'shard command');
  }
}
