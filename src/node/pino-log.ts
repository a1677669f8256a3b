/** The log port on pino: one JSON object a line on standard error. */
import { type Logger, pino } from 'pino';
import type { Fields, Log } from '../ports/log.ts';

function wrap(logger: Logger): Log {
  return {
    debug: (message, fields) => logger.debug(fields ?? {}, message),
    info: (message, fields) => logger.info(fields ?? {}, message),
    warn: (message, fields) => logger.warn(fields ?? {}, message),
    error: (message, fields) => logger.error(fields ?? {}, message),
    child: (fields: Fields) => wrap(logger.child(fields)),
  };
}

export function createLog(level: string, name: string): Log {
  const destination = pino.destination({ fd: 2, sync: true });
  return wrap(pino({ level, base: { node: name } }, destination));
}
