/**
 * The logger given to libp2p: none. Its layers log several times for every chunk, which costs even
 * where nobody listens; what matters of them is counted and logged by this room.
 */
import type { Libp2pOptions } from 'libp2p';

type ComponentLogger = NonNullable<Libp2pOptions['logger']>;
type Logger = ReturnType<ComponentLogger['forComponent']>;

const nothing = (): undefined => undefined;

const logger: Logger = Object.assign(nothing, {
  error: nothing,
  trace: nothing,
  enabled: false,
  newScope: () => logger,
});

export const silentLogger: ComponentLogger = { forComponent: () => logger };
