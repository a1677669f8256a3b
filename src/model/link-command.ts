/** Changes of what tasks have to do with one another: messages between shards, and workflows. */
import type { ByteReader, ByteWriter } from './bytes.ts';
import type { TaskId } from './ids.ts';
import { type Delivery, readDelivery, writeDelivery } from './message.ts';
import { readSpecEntry, type SpecEntry, writeSpecEntry } from './spec-entry.ts';
import {
  readWorkflowHead,
  readWorkflowItem,
  type WorkflowHead,
  type WorkflowItem,
  writeWorkflowHead,
  writeWorkflowItem,
} from './workflow.ts';

export type LinkCommand =
  /** Messages of the shard `source`, by ascending number: the oldest that it has for this one. */
  | { readonly kind: 'deliver'; readonly source: number; readonly items: readonly Delivery[] }
  /** Messages that were delivered: they need not be repeated. */
  | { readonly kind: 'acknowledge'; readonly items: readonly { readonly sequence: number }[] }
  /** Tasks `from` and following of a workflow. It begins once all of them are there. */
  | {
      readonly kind: 'submitWorkflow';
      readonly workflow: WorkflowHead;
      readonly from: number;
      readonly specs: readonly SpecEntry[];
      readonly items: readonly WorkflowItem[];
    }
  | {
      readonly kind: 'cancelWorkflow';
      readonly items: readonly { readonly id: TaskId }[];
      readonly reason: string;
    };

export function writeLinkCommand(writer: ByteWriter, command: LinkCommand): void {
  switch (command.kind) {
    case 'deliver':
      writer.varint(command.source).list(command.items, writeDelivery);
      break;
    case 'acknowledge':
      writer.list(command.items, (w, { sequence }) => w.varint(sequence));
      break;
    case 'submitWorkflow':
      writeWorkflowHead(writer, command.workflow);
      writer.varint(command.from).list(command.specs, writeSpecEntry);
      writer.list(command.items, writeWorkflowItem);
      break;
    case 'cancelWorkflow':
      writer.list(command.items, (w, { id }) => w.text(id)).text(command.reason);
      break;
  }
}

const readId = (reader: ByteReader): TaskId => reader.text(32) as TaskId;

export function readLinkCommand(kind: LinkCommand['kind'], reader: ByteReader): LinkCommand {
  switch (kind) {
    case 'deliver':
      return { kind, source: reader.varint(), items: reader.list(readDelivery) };
    case 'acknowledge':
      return { kind, items: reader.list(r => ({ sequence: r.varint() })) };
    case 'submitWorkflow':
      return {
        kind,

        workflow: readWorkflowHead(reader),
        from: reader.varint(),
        specs: reader.list(readSpecEntry),
        items: reader.list(readWorkflowItem),
      };
    case 'cancelWorkflow':
      return {
        kind,

        items: reader.list(r => ({ id: readId(r) })),
        reason: reader.text(4_096),
      };
  }
}
