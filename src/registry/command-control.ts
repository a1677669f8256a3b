/** Commands of the registry about pauses and templates, as data. See `command.ts`. */
import type { ByteReader, ByteWriter } from '../model/bytes.ts';
import type { TemplateText } from './templates.ts';

export type ControlBody =
  | {
      /** Tasks of a tenant, or with `everyTenant` all, are not placed; with `on` false they are. */
      readonly kind: 'pausePlacement';
      readonly scope: string;
      readonly on: boolean;
      /** What runs is to stand still too. */
      readonly suspend: boolean;
      readonly reason: string;
    }
  | {
      /** A new revision of a template, the first of its name where `expected` is 0. */
      readonly kind: 'putTemplate';
      readonly template: TemplateText;
      /** The newest revision there is at the moment; missing for whichever that is. */
      readonly expected?: number | undefined;
    }
  | {
      /** A template goes, or one revision of it. */
      readonly kind: 'dropTemplate';
      readonly tenant: string;
      readonly name: string;
      readonly revision?: number | undefined;
    };

type ControlKind = ControlBody['kind'];

export const controlKindNumbers: Readonly<Record<ControlKind, number>> = {
  pausePlacement: 32,
  putTemplate: 33,
  dropTemplate: 34,
};

export function writeControl(writer: ByteWriter, command: ControlBody): void {
  switch (command.kind) {
    case 'pausePlacement':
      writer.text(command.scope).bool(command.on).bool(command.suspend).text(command.reason);
      break;
    case 'putTemplate': {
      const { tenant, name, description, document } = command.template;
      writer.text(tenant).text(name).text(description).text(document);
      writer.optional(command.expected, (w, revision) => w.varint(revision));
      break;
    }
    case 'dropTemplate':
      writer.text(command.tenant).text(command.name);
      writer.optional(command.revision, (w, revision) => w.varint(revision));
      break;
  }
}

export function readControl(reader: ByteReader, kind: ControlKind): ControlBody {
  switch (kind) {
    case 'pausePlacement':
      return {
        kind,
        scope: reader.text(),
        on: reader.bool(),
        suspend: reader.bool(),
        reason: reader.text(),
      };
    case 'putTemplate':
      return {
        kind,
        template: {
          tenant: reader.text(),
          name: reader.text(),
          description: reader.text(),
          document: reader.text(),
        },
        expected: reader.optional(r => r.varint()),
      };
    case 'dropTemplate':
      return {
        kind,
        tenant: reader.text(),
        name: reader.text(),
        revision: reader.optional(r => r.varint()),
      };
  }
}
