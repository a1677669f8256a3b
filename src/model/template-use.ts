/** How a document names the template that makes its task: `nightly`, or `nightly@3`. */
import { limits } from './limits.ts';
import type { TemplateUse } from './spec-scheduling.ts';

const usePattern = /^([A-Za-z0-9][A-Za-z0-9._-]*)(?:@([1-9]\d{0,9}))?$/;

/** Reads a use; without a revision the newest is meant. `undefined` for what is none. */
export function parseTemplateUse(
  value: unknown,
): { readonly name: string; readonly revision: number | undefined } | undefined {
  if (typeof value !== 'string' || value.length > limits.nameBytesMax) return undefined;
  const [, name, revision] = usePattern.exec(value) ?? [];
  if (name === undefined) return undefined;
  return { name, revision: revision === undefined ? undefined : Number(revision) };
}

export const formatTemplateUse = ({ name, revision }: TemplateUse): string => `${name}@${revision}`;
