/** Keys from the root of the settings to a value; numbers are places in a list. */
export type Path = readonly (string | number)[];

/** One thing wrong with the settings. */
export interface Problem {
  path: Path;
  /** The whole remark after the key's name: what was given, what is allowed, what was probably meant. */
  text: string;
  /** The key is the problem (unknown, missing), so the line of the key is shown; otherwise that of the value. */
  at: "key" | "value" | "parent";
}

/** `groundwork:target.hosts[0].name`, as Pulumi's `config set --path` takes it. */
export function keyName(path: Path): string {
  const [first, ...rest] = path;
  if (first === undefined) return "groundwork";
  return `groundwork:${first}${rest.map((part) => (typeof part === "number" ? `[${part}]` : `.${part}`)).join("")}`;
}

/** Keys whose values are never shown, whatever is wrong with them. */
const CONFIDENTIAL = /pass(word|phrase)|secret|token|credential|(private|access|api)_?-?key$/i;

/** Values that are never shown, wherever they were put by mistake. */
const CONFIDENTIAL_VALUE = /PRIVATE KEY|^v1:|^(ghp|glpat|xox[abp]|AKIA)/;

/** Most characters of a value that are shown. */
const LONGEST = 60;

/** A value as it is shown: short, on one line, and nothing that may be a secret. */
export function show(value: unknown, path: Path): string {
  if (value === null || value === undefined) return "empty";
  if (path.some((part) => CONFIDENTIAL.test(String(part)))) return "(not shown)";
  if (typeof value === "string") {
    if (CONFIDENTIAL_VALUE.test(value)) return "(not shown)";
    const text = JSON.stringify(value);
    return text.length > LONGEST ? `${text.slice(0, LONGEST)}..."` : text;
  }
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : `a list of ${value.length}`;
  if (typeof value === "object") return Object.keys(value).length === 0 ? "an empty map" : "a map";
  return JSON.stringify(value);
}

/** `a`, `a or b`, `a, b or c`. */
export function either(words: readonly string[]): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}
