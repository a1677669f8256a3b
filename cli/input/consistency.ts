/** `--consistency` of the commands that read tasks. */
import { string } from '@oclif/core/flags';
import { type Consistency, consistencies } from '../../src/model/task.ts';
import { usageError } from '../cli-error.ts';

export const consistencyFlag = string({
  description:
    'linearizable: confirmed by a majority, or an error; local: what the nearest replica has; ' +
    'without it the first, and where there is no majority the second',
  helpValue: 'HOW',
});

export function readConsistency(text: string | undefined): Consistency | undefined {
  const found = consistencies.find(known => known === text);
  if (text !== undefined && found === undefined) {
    throw usageError(`--consistency ${text} is not known`, `It is ${consistencies.join(' or ')}.`);
  }
  return found;
}
