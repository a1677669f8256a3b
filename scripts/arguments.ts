/** What a command was asked for; help and mistakes are told here. */
export function readOrTell<T extends object | string>(
  read: () => T | 'help',
  help: string,
): { readonly wanted: Exclude<T, 'help'> } | { readonly code: number } {
  let wanted: T | 'help';
  try {
    wanted = read();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
    return { code: 2 };
  }
  if (wanted !== 'help') return { wanted: wanted as Exclude<T, 'help'> };
  process.stdout.write(help);
  return { code: 0 };
}
