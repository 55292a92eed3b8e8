/** `--name value` pairs of a command line. @throws with a sentence where one is unknown or missing */
export function readArguments<K extends string, O extends string = never>(
  argv: string[],
  names: { needed: readonly K[]; optional?: readonly O[] },
): Record<K, string> & Partial<Record<O, string>> {
  const known: readonly string[] = [...names.needed, ...(names.optional ?? [])];
  const given: Record<string, string> = {};
  for (let index = 0; index < argv.length; index += 2) {
    const [flag, value] = [argv[index] ?? "", argv[index + 1]];
    const name = flag.replace(/^--/, "");
    if (!flag.startsWith("--") || !known.includes(name)) {
      throw new Error(`unknown argument ${flag}: expected ${known.map((one) => `--${one}`).join(", ")}`);
    }
    if (value === undefined) throw new Error(`${flag} needs a value`);
    given[name] = value;
  }
  const missing = names.needed.filter((name) => given[name] === undefined);
  if (missing.length > 0) throw new Error(`missing ${missing.map((name) => `--${name}`).join(", ")}`);
  return given as Record<K, string> & Partial<Record<O, string>>;
}
