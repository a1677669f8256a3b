/**
 * What the bearer of a token may ask of the registry through any node; its leader judges that by
 * itself.
 */
import { isSettingName } from '../model/cluster-settings.ts';
import type { RegistryCommand, RegistryCommandKind } from '../registry/command.ts';
import type { TokenRecord } from '../registry/state.ts';

/** Whether the token allows the command. */
export function mayAsk(bearer: TokenRecord, command: RegistryCommand): boolean {
  const isAdmin = bearer.role === 'admin';
  switch (command.kind) {
    case 'drainNode':
    case 'removeNode':
    case 'setTier':
    case 'putToken':
    case 'dropToken':
    case 'putTenant':
    case 'putPlan':
    case 'putReservation':
    case 'dropReservation':
    case 'pausePlacement':
      return isAdmin;
    case 'setSetting':
      return isAdmin && isSettingName(command.name);
    case 'putTemplate':
      return isAdmin || maySubmitFor(bearer, command.template.tenant);
    case 'dropTemplate':
      return isAdmin || maySubmitFor(bearer, command.tenant);
    default:
      return false;
  }
}

const maySubmitFor = (bearer: TokenRecord, tenant: string): boolean =>
  bearer.role === 'submitter' && bearer.tenant === tenant;

const ofVersion3: ReadonlySet<RegistryCommandKind> = new Set([
  'setTier',
  'putTenant',
  'putPlan',
  'putReservation',
  'dropReservation',
  'pausePlacement',
  'putTemplate',
  'dropTemplate',
]);

/** The cluster version whose programs read a command of this kind. */
export const neededVersion = (kind: RegistryCommandKind): number => (ofVersion3.has(kind) ? 3 : 1);
