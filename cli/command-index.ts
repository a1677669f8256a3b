/** Every command with its flags, as data: for completion scripts and for the reference. */
import { Config } from '@oclif/core/config';
import { oclifOptions } from './main.ts';

export interface IndexedFlag {
  readonly name: string;
  readonly char?: string | undefined;
  readonly description: string;
  readonly takesValue: boolean;
  /** Placeholder of its value in help. */
  readonly value?: string | undefined;
  readonly env?: string | undefined;
  readonly default?: string | undefined;
  readonly required: boolean;
  readonly global: boolean;
  readonly negatable: boolean;
}

export interface IndexedCommand {
  /** `cluster health` */
  readonly words: string;
  readonly summary: string;
  readonly description: string;
  readonly usage: readonly string[];
  readonly examples: readonly string[];
  readonly args: readonly {
    readonly name: string;
    readonly description: string;
    readonly required: boolean;
  }[];
  readonly flags: readonly IndexedFlag[];
}

const texts = (value: string | readonly string[] | undefined): readonly string[] =>
  value === undefined ? [] : typeof value === 'string' ? [value] : value;

type Cached = Config['commands'][number];

function flagOf(flag: Cached['flags'][string]): IndexedFlag {
  const option = flag.type === 'option';
  const given: unknown = flag.default;
  const value = option ? (flag.helpValue ?? flag.name.toUpperCase()) : undefined;
  return {
    name: flag.name,
    char: flag.char,
    description: flag.description ?? flag.summary ?? '',
    takesValue: option,
    value: typeof value === 'string' ? value : value?.[0],
    env: flag.env,
    default: typeof given === 'string' && given !== '' ? given : undefined,
    required: flag.required === true,
    global: flag.helpGroup === 'GLOBAL',
    negatable: !option && flag.allowNo === true,
  };
}

function commandOf(command: Cached): IndexedCommand {
  const summary = command.summary ?? '';
  const described = command.description ?? '';
  return {
    words: command.id.replaceAll(':', ' '),
    summary,
    description: described,
    usage: texts(command.usage),
    examples: (command.examples ?? []).map(example =>
      (typeof example === 'string' ? example : example.command).replaceAll(
        '<%= config.bin %>',
        'tsched',
      ),
    ),
    args: Object.values(command.args).map(arg => ({
      name: arg.name,
      description: arg.description ?? '',
      required: arg.required === true,
    })),
    flags: Object.values(command.flags)
      .filter(flag => flag.hidden !== true)
      .map(flagOf)
      .sort((left, right) => (left.name < right.name ? -1 : 1)),
  };
}

/** All commands by name. Loads every one of them. */
export async function readCommands(): Promise<readonly IndexedCommand[]> {
  const config = await Config.load(oclifOptions());
  return config.commands
    .filter(command => command.hidden !== true)
    .map(commandOf)
    .sort((left, right) => (left.words < right.words ? -1 : 1));
}
