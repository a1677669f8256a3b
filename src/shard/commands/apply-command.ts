/** Which code applies which command. */
import { unreachable } from '../../model/assert.ts';
import type { ItemReply, ShardCommand } from '../../model/command.ts';
import type { Turn } from '../turn.ts';
import { applyAcknowledge } from './acknowledge.ts';
import { applyAdopt } from './adopt.ts';
import { applyAssign } from './assign.ts';
import { applyAssignGang } from './assign-gang.ts';
import { applyCancel } from './cancel.ts';
import { applyCancelWorkflow } from './cancel-workflow.ts';
import { applyCharge } from './charge.ts';
import { applyDeliver } from './deliver.ts';
import { applyExpire } from './expire.ts';
import { applyFinish } from './finish.ts';
import { applyLose } from './lose.ts';
import { applyPause } from './pause.ts';
import { applyPurge } from './purge.ts';
import { applyRecover } from './recover.ts';
import { applyReplay } from './replay.ts';
import { applyResume } from './resume.ts';
import { applyStart } from './start.ts';
import { applySubmit, type PreparedSpec } from './submit.ts';
import { applySubmitWorkflow } from './submit-workflow.ts';
import { applySuspended } from './suspended.ts';
import { applyUnassign } from './unassign.ts';
import { applyUpdate } from './update.ts';

/** `specs` are those of the command, understood before anything changes. */
export function applyCommand(
  turn: Turn,
  command: ShardCommand,
  specs: readonly PreparedSpec[],
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
    case 'deliver':
      return applyDeliver(turn, command);
    case 'acknowledge':
      return applyAcknowledge(turn, command);
    case 'submitWorkflow':
      return applySubmitWorkflow(turn, command, specs);
    case 'cancelWorkflow':
      return applyCancelWorkflow(turn, command);
    case 'charge':
      return applyCharge(turn, command);
    case 'adopt':
      return applyAdopt(turn, command);
    case 'replay':
      return applyReplay(turn, command, specs);
    case 'purge':
      return applyPurge(turn, command);
    case 'pause':
      return applyPause(turn, command);
    case 'resume':
      return applyResume(turn, command);
    case 'update':
      return applyUpdate(turn, command);
    case 'suspended':
      return applySuspended(turn, command);
    default:
      return unreachable(command, 'shard command');
  }
}
