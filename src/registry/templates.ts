/**
 * Templates as the registry keeps them: under a tenant and a name, a row of revisions. A revision
 * never changes; what is in its document is read by whoever makes tasks of it. A number is given
 * once: of a template that was deleted the name and the newest number are remembered, so that
 * `nightly@3` in a task means one text for ever.
 */
import type { ByteReader, ByteWriter } from '../model/bytes.ts';
import { limits } from '../model/limits.ts';
import { byText } from './order.ts';

/** What a revision says: the text of its document, which the registry does not look into. */
export interface TemplateText {
  readonly tenant: string;
  readonly name: string;
  readonly description: string;
  /** Parameters and task, as JSON. */
  readonly document: string;
}

export interface TemplateRevision extends TemplateText {
  readonly revision: number;
  readonly by: string;
  readonly atMs: number;
}

/** What is known of a name. */
export interface TemplateHead {
  /** Highest number given to a revision. */
  readonly lastRevision: number;
  /** State time of the deletion, where it was deleted. */
  readonly deletedAtMs?: number | undefined;
}

const headKey = (tenant: string, name: string): string => `${tenant}/${name}`;

/** The number is padded, so that rows stand in order. */
const revisionKey = (tenant: string, name: string, revision: number): string =>
  `${headKey(tenant, name)}@${String(revision).padStart(10, '0')}`;

const sizeOf = (text: TemplateText): number => text.document.length + text.description.length;

/** The tables, with the names of the rows that changed handed to `touch`. */
export class Templates {
  readonly #heads = new Map<string, TemplateHead>();
  readonly #revisions = new Map<string, TemplateRevision[]>();
  readonly #touch: (row: string) => void;
  #bytes = 0;

  constructor(touch: (row: string) => void) {
    this.#touch = touch;
  }

  /** Characters of all revisions. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Templates that are not deleted. */
  get size(): number {
    return this.#revisions.size;
  }

  head(tenant: string, name: string): TemplateHead | undefined {
    return this.#heads.get(headKey(tenant, name));
  }

  /** Oldest first; none where it does not exist. */
  revisions(tenant: string, name: string): readonly TemplateRevision[] {
    return this.#revisions.get(headKey(tenant, name)) ?? [];
  }

  /** The newest revision of each, by tenant and name. */
  newest(): TemplateRevision[] {
    return [...this.#revisions.keys()].sort(byText).map(key => this.#revisions.get(key)!.at(-1)!);
  }

  add(text: TemplateText, by: string, atMs: number): TemplateRevision {
    const { tenant, name } = text;
    const revision = (this.head(tenant, name)?.lastRevision ?? 0) + 1;
    const added = { ...text, revision, by, atMs };
    this.#putHead(headKey(tenant, name), { lastRevision: revision });
    this.#insert(added);
    this.#touch(`er${revisionKey(tenant, name, revision)}`);
    return added;
  }

  /** Takes one revision away. */
  dropRevision(tenant: string, name: string, revision: number): void {
    const key = headKey(tenant, name);
    const left = this.revisions(tenant, name).filter(known => {
      if (known.revision !== revision) return true;
      this.#bytes -= sizeOf(known);
      this.#touch(`er${revisionKey(tenant, name, revision)}`);
      return false;
    });
    if (left.length > 0) this.#revisions.set(key, left);
    else this.#revisions.delete(key);
  }

  /** All of its revisions go; its name and its newest number stay for a while. */
  drop(tenant: string, name: string, nowMs: number): void {
    for (const { revision } of [...this.revisions(tenant, name)]) {
      this.dropRevision(tenant, name, revision);
    }
    const key = headKey(tenant, name);
    const { lastRevision } = this.#heads.get(key)!;
    this.#putHead(key, { lastRevision, deletedAtMs: nowMs });
    const deleted = [...this.#heads].filter(([, head]) => head.deletedAtMs !== undefined);
    if (deleted.length <= limits.templatesRememberedMax) return;
    const [oldest] = deleted.sort(
      ([left, a], [right, b]) => a.deletedAtMs! - b.deletedAtMs! || byText(left, right),
    );
    this.#heads.delete(oldest![0]);
    this.#touch(`eh${oldest![0]}`);
  }

  #putHead(key: string, head: TemplateHead): void {
    this.#heads.set(key, head);
    this.#touch(`eh${key}`);
  }

  #insert(revision: TemplateRevision): void {
    const key = headKey(revision.tenant, revision.name);
    this.#revisions.set(key, [...(this.#revisions.get(key) ?? []), revision]);
    this.#bytes += sizeOf(revision);
  }

  /** Writes the row of that name, without its letter; false where its subject is gone. */
  writeRow(writer: ByteWriter, row: string): boolean {
    const name = row.slice(1);
    if (row[0] === 'h') {
      const head = this.#heads.get(name);
      if (head === undefined) return false;
      writer.varint(head.lastRevision).optional(head.deletedAtMs, (w, atMs) => w.varint(atMs));
      return true;
    }
    const at = name.lastIndexOf('@');
    const number = Number(name.slice(at + 1));
    const found = this.#revisions.get(name.slice(0, at))?.find(one => one.revision === number);
    if (found === undefined) return false;
    writer.text(found.tenant).text(found.name).varint(found.revision);
    writer.text(found.by).varint(found.atMs).text(found.description).text(found.document);
    return true;
  }

  /** Rows of one template come in the order of their numbers. */
  readRow(row: string, reader: ByteReader): void {
    if (row[0] === 'h') {
      const lastRevision = reader.varint();
      const deletedAtMs = reader.optional(r => r.varint());
      this.#heads.set(row.slice(1), { lastRevision, deletedAtMs });
      return;
    }
    this.#insert({
      tenant: reader.text(),
      name: reader.text(),
      revision: reader.varint(),
      by: reader.text(),
      atMs: reader.varint(),
      description: reader.text(),
      document: reader.text(),
    });
  }
}
