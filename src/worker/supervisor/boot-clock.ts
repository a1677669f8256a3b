/**
 * CLOCK_BOOTTIME in whole milliseconds: it goes on while the machine is suspended and is the same for
 * every process of the machine, so a deadline can be handed from the node to its supervisor.
 */
import { uptime } from 'node:os';

export const bootMs = (): number => Math.floor(uptime() * 1_000);
