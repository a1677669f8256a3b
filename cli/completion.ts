/**
 * Completion scripts for the shells, made from the commands themselves: words of commands, flags of
 * each, and the values of flags that have a closed set. Nothing is asked of a node.
 */
import { tiers } from '../src/model/resources.ts';
import { taskStates } from '../src/model/task.ts';

/** One command, as far as a shell needs it. */
export interface CompletionCommand {
  /** `cluster health` */
  readonly words: string;
  readonly summary: string;
  readonly flags: readonly CompletionFlag[];
}

export interface CompletionFlag {
  readonly name: string;
  readonly char?: string | undefined;
  readonly description: string;
  readonly takesValue: boolean;
}

export type Shell = 'bash' | 'zsh' | 'fish';

/** Values of flags that have a closed set. */
const valuesOf: Readonly<Record<string, readonly string[]>> = {
  tier: tiers,
  state: [...taskStates, 'active', 'settled'],
  'log-level': ['debug', 'info', 'warn', 'error'],
};

/** Flags whose value is a file or a directory. */
const fileFlags: ReadonlySet<string> = new Set(['file', 'token-file', 'data-dir', 'dir']);

function firstWords(commands: readonly CompletionCommand[]): string[] {
  return [...new Set(commands.map(command => command.words.split(' ')[0]!))];
}

function secondWords(commands: readonly CompletionCommand[]): Map<string, string[]> {
  const words = new Map<string, string[]>();
  for (const command of commands) {
    const [first, second] = command.words.split(' ');
    if (second !== undefined) words.set(first!, [...(words.get(first!) ?? []), second]);
  }
  return words;
}

const allFlags = (command: CompletionCommand): string =>
  command.flags
    .flatMap(flag => [`--${flag.name}`, ...(flag.char === undefined ? [] : [`-${flag.char}`])])
    .join(' ');

function bashScript(commands: readonly CompletionCommand[]): string {
  const topics = [...secondWords(commands)].map(
    ([topic, words]) => `    '${topic}') words='${words.join(' ')}' ;;`,
  );
  const flags = commands.map(command => `    '${command.words}') flags='${allFlags(command)}' ;;`);
  const values = Object.entries(valuesOf).map(
    ([flag, words]) =>
      `    --${flag}) COMPREPLY=($(compgen -W '${words.join(' ')}' -- "$word")); return ;;`,
  );
  const files = [...fileFlags].map(flag => `--${flag}`).join('|');
  return `# bash completion of tsched: eval "$(tsched completion bash)"
_tsched() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}"
  local first="\${COMP_WORDS[1]}" second="\${COMP_WORDS[2]}" words='' flags='' position
  for ((position = 1; position < COMP_CWORD; position++)); do
    if [[ "\${COMP_WORDS[position]}" == -- ]]; then
      COMPREPLY=($(compgen -c -f -- "$word"))
      return
    fi
  done
  case "$before" in
${values.join('\n')}
    ${files}|-f) COMPREPLY=($(compgen -f -- "$word")); return ;;
  esac
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '${firstWords(commands).join(' ')}' -- "$word"))
    return
  fi
  case "$first" in
${topics.join('\n')}
  esac
  if [[ -n "$words" ]] && ((COMP_CWORD == 2)); then
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    return
  fi
  case "$first\${words:+ $second}" in
${flags.join('\n')}
  esac
  if [[ "$word" == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$word"))
  elif [[ "$first" == submit ]]; then
    COMPREPLY=($(compgen -f -- "$word"))
  fi
}
complete -o filenames -F _tsched tsched
`;
}

/** For zsh, whose quotes are single and whose descriptions end at a colon or bracket. */
const zshText = (text: string): string =>
  text.replaceAll("'", "'\\''").replaceAll('[', '(').replaceAll(']', ')').replaceAll(':', ' ');

function zshFlag(flag: CompletionFlag): string[] {
  const values = valuesOf[flag.name];
  const action = values ? `(${values.join(' ')})` : fileFlags.has(flag.name) ? '_files' : '';
  const value = flag.takesValue ? `:${flag.name}:${action}` : '';
  const names = [`--${flag.name}`, ...(flag.char === undefined ? [] : [`-${flag.char}`])];
  return names.map(name => `'${name}[${zshText(flag.description)}]${value}'`);
}

function zshScript(commands: readonly CompletionCommand[]): string {
  const describe = (list: readonly (readonly [string, string])[]): string =>
    list.map(([word, text]) => `'${word}:${zshText(text)}'`).join(' ');
  const topics = secondWords(commands);
  const summaryOf = (words: string): string =>
    commands.find(command => command.words === words)?.summary ?? `${words} commands`;
  const firsts = describe(firstWords(commands).map(word => [word, summaryOf(word)]));
  const seconds = [...topics].map(([topic, words]) => {
    const list = describe(words.map(word => [word, summaryOf(`${topic} ${word}`)]));
    return `      ${topic}) local -a inner=(${list}); _describe command inner; return ;;`;
  });
  const flags = commands.map(command => {
    const list = command.flags.flatMap(zshFlag).join(' ');
    return `    '${command.words}') _arguments -s ${list} '*:argument:_files' ;;`;
  });
  return `#compdef tsched
# zsh completion of tsched: tsched completion zsh > "\${fpath[1]}/_tsched"
_tsched() {
  if ((CURRENT == 2)); then
    local -a outer=(${firsts})
    _describe command outer
    return
  fi
  if ((CURRENT == 3)); then
    case "\${words[2]}" in
${seconds.join('\n')}
    esac
  fi
  local key="\${words[2]}"
  case "$key" in
    ${[...topics.keys()].join('|')}) key="$key \${words[3]}" ;;
  esac
  case "$key" in
${flags.join('\n')}
  esac
}
if [[ "\${funcstack[1]}" == _tsched ]]; then _tsched "$@"; else compdef _tsched tsched; fi
`;
}

const fishText = (text: string): string =>
  `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

function fishFlag(condition: string, flag: CompletionFlag): string {
  const char = flag.char === undefined ? '' : ` -s ${flag.char}`;
  const values = valuesOf[flag.name];
  const choice = values ? ` -xa ${fishText(values.join(' '))}` : '';
  const files = fileFlags.has(flag.name) ? ' -rF' : flag.takesValue && !values ? ' -x' : '';
  const text = fishText(flag.description);
  return `complete -c tsched -n ${condition} -l ${flag.name}${char}${choice}${files} -d ${text}`;
}

function fishScript(commands: readonly CompletionCommand[]): string {
  const lines = [
    '# fish completion of tsched: tsched completion fish > ~/.config/fish/completions/tsched.fish',
    'complete -c tsched -f',
  ];
  const topics = secondWords(commands);
  for (const word of firstWords(commands)) {
    const summary = commands.find(command => command.words === word)?.summary ?? `${word} commands`;
    lines.push(`complete -c tsched -n __fish_use_subcommand -a ${word} -d ${fishText(summary)}`);
  }
  for (const command of commands) {
    const [first, second] = command.words.split(' ');
    let condition = `'__fish_seen_subcommand_from ${first}'`;
    if (second !== undefined) {
      const words = topics.get(first!)!.join(' ');
      const none = `'__fish_seen_subcommand_from ${first}; and not __fish_seen_subcommand_from ${words}'`;
      lines.push(`complete -c tsched -n ${none} -a ${second} -d ${fishText(command.summary)}`);
      condition = `'__fish_seen_subcommand_from ${first}; and __fish_seen_subcommand_from ${second}'`;
    }
    for (const flag of command.flags) lines.push(fishFlag(condition, flag));
    if (first === 'submit') lines.push(`complete -c tsched -n ${condition} -F`);
  }
  return `${lines.join('\n')}\n`;
}

const scripts: Record<Shell, (commands: readonly CompletionCommand[]) => string> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** The completion script of `shell` for these commands. */
export const completionScript = (shell: Shell, commands: readonly CompletionCommand[]): string =>
  scripts[shell](commands);
