/**
 * setSetting: a setting of the whole cluster, as text; what it means is known where it is read.
 * Without a value it is forgotten and its default holds. Replies: ok, repeated, `badRequest`.
 */
import { wrongName } from '../check.ts';
import type { RegistryCommandOf } from '../command.ts';
import {
  accepted,
  type RegistryEffect,
  type RegistryReply,
  type RegistryState,
  refused,
  registryLimits,
  repeated,
} from '../state.ts';

export function applySetSetting(
  state: RegistryState,
  { name, value }: RegistryCommandOf<'setSetting'>,
  effects: RegistryEffect[],
): RegistryReply {
  const wrong = wrongName(name, 'setting');
  if (wrong !== undefined) return refused('badRequest', wrong);
  if (state.settings.get(name) === value) return repeated;
  if (value === undefined) {
    state.dropSetting(name);
  } else {
    if (value.length > registryLimits.settingBytesMax) {
      return refused(
        'badRequest',
        `setting ${name} is over ${registryLimits.settingBytesMax} long`,
      );
    }
    if (!state.settings.has(name) && state.settings.size >= registryLimits.settingsMax) {
      return refused('badRequest', `there are ${registryLimits.settingsMax} settings already`);
    }
    state.putSetting(name, value);
  }
  effects.push({ kind: 'settingsChanged' });
  return accepted;
}
