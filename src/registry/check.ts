/**
 * What apply asks of the values in a command, so that a bad one is refused to its sender. Each
 * returns a sentence about the first thing that is wrong, or `undefined`.
 */
import { limits } from '../model/limits.ts';
import { resourceNames } from '../model/resources.ts';
import type { TierChange } from '../model/tiers.ts';
import type { KnownStarts } from './starts.ts';
import {
  type JoinSecret,
  type NodeRegistration,
  registryLimits,
  type TokenRecord,
} from './state.ts';

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const tenantPattern = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const hexPattern = /^[0-9a-f]{64}$/;
const idBytesMax = 128;

/** A name that people type: letters, digits, dot, dash, underscore; bounded. */
export function wrongName(name: string, what: string): string | undefined {
  if (name.length > limits.nameBytesMax) {
    return `${what} is longer than ${limits.nameBytesMax} characters`;
  }
  if (!namePattern.test(name)) {
    return (
      `${what} "${name}" must be letters, digits, ".", "-" and "_", ` +
      'starting with a letter or digit'
    );
  }
  return undefined;
}

const wrongId = (id: string, what: string): string | undefined =>
  id.length === 0 || id.length > idBytesMax ? `${what} must be 1 to ${idBytesMax} long` : undefined;

/** Judges what a node says of itself. */
export function wrongRegistration(node: NodeRegistration): string | undefined {
  const long = (text: string): boolean => text.length > registryLimits.addressBytesMax;
  const wrong =
    wrongId(node.id, 'node id') ??
    wrongName(node.name, 'node name') ??
    wrongId(node.storeId, 'store id') ??
    wrongId(node.bootId, 'boot id');
  if (wrong !== undefined) return wrong;
  if (node.bootCount < 1) return 'boot count must be at least 1';
  if (node.addresses.length > registryLimits.addressesMax) {
    return `more than ${registryLimits.addressesMax} addresses`;
  }
  if (node.addresses.some(long) || long(node.httpAddress)) return 'an address is too long';
  if (node.labels.length > limits.labelsMax) return `more than ${limits.labelsMax} labels`;
  const longLabel = ([key, value]: readonly [string, string]): boolean =>
    key.length > limits.labelBytesMax || value.length > limits.labelBytesMax;
  if (node.labels.some(longLabel)) return 'a label is too long';
  if (long(node.zone) || long(node.version)) return 'zone or version is too long';
  if (node.weight > registryLimits.weightMax) {
    return `weight must be at most ${registryLimits.weightMax}`;
  }
  const bad = resourceNames.find(name => !Number.isSafeInteger(node.total[name]));
  return bad === undefined ? undefined : `total ${bad} is not an integer`;
}

/** Judges what a node says that its store knows of its starts. */
export function wrongStarts(starts: KnownStarts | undefined): string | undefined {
  if (starts === undefined) return undefined;
  if (starts.ids.length > limits.unconfirmedStartsMax) return 'it names too many starts';
  const bad = starts.ids.find(id => wrongId(id, 'boot id') !== undefined);
  return bad === undefined ? undefined : 'an id of a start is too long';
}

/** A tenant is named in lower case, as in task documents. */
export function wrongTenant(name: string): string | undefined {
  if (tenantPattern.test(name)) return undefined;
  return (
    `tenant "${name.slice(0, 64)}" must be 1 to 63 lower-case letters, digits, ".", "-" and "_", ` +
    'starting with a letter or digit'
  );
}

export function wrongToken(token: TokenRecord): string | undefined {
  return (
    wrongId(token.id, 'token id') ??
    wrongName(token.name, 'token name') ??
    wrongName(token.tenant, 'tenant') ??
    (hexPattern.test(token.sha256) ? undefined : 'the hash of the token is not hex of a sha256')
  );
}

/** Judges one change of a tier. */
export function wrongTierChange({ field, value }: TierChange): string | undefined {
  if (value === undefined) return undefined;
  if (!Number.isSafeInteger(value) || value < 0) return `${field} is no whole number`;
  if (field === 'ports' && value > limits.portsMax) return `at most ${limits.portsMax} ports`;
  if (field === 'capMsMax' && value > limits.capMsMax) return 'the ceiling of the cap is too long';
  return undefined;
}

export function wrongSecret(secret: JoinSecret): string | undefined {
  return hexPattern.test(secret.sha256)
    ? undefined
    : 'the hash of the join secret is not hex of a sha256';
}
