import type { z } from "zod";
import { nearest } from "./nearest";
import { type Path, type Problem, either, show } from "./problem";

type Issue = z.core.$ZodIssue;
type Schema = z.core.$ZodType;
type Def = z.core.$ZodTypeDef & {
  innerType?: Schema;
  in?: Schema;
  shape?: Record<string, Schema>;
  element?: Schema;
  valueType?: Schema;
  options?: Schema[];
  discriminator?: string;
};

const defOf = (schema: Schema): Def => schema._zod.def;

/** The schema below defaults, optionals and transforms. */
function bare(schema: Schema): Schema {
  const { innerType, in: input } = defOf(schema);
  const below = innerType ?? input;
  return below ? bare(below) : schema;
}

/** The variant of a union that the value's discriminator names. */
function variant(schema: Schema, value: unknown): Schema | undefined {
  const { options, discriminator } = defOf(schema);
  if (!options || !discriminator) return undefined;
  const tag = (value as Record<string, unknown> | undefined)?.[discriminator];
  return options.find((option) => {
    const literal = defOf(bare(option)).shape?.[discriminator];
    return literal?._zod.values?.has(tag as never);
  });
}

/** The schema of what stands at the path, as far as there is one; `value` is the whole value that was given. */
function schemaAt(schema: Schema, path: Path, value: unknown): Schema | undefined {
  let here: Schema | undefined = schema;
  let given = value;
  for (const part of path) {
    if (!here) return undefined;
    here = bare(here);
    here = variant(here, given) ?? here;
    const { shape, element, valueType } = defOf(bare(here));
    here = shape?.[String(part)] ?? element ?? valueType;
    given = (given as Record<string | number, unknown> | undefined)?.[part];
  }
  return here;
}

/** What stands at the path in the given value. */
const valueAt = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>((inner, part) => (inner as Record<string | number, unknown> | undefined)?.[part], value);

/** The first sentence that describes the value, in lower case: used where a schema gives no words of its own. */
function described(schema: Schema | undefined): string | undefined {
  const text = schema && (schema as z.ZodType).description;
  return text?.split(/\. |\.$/)[0]?.replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase());
}

const TYPES: Record<string, string> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "a map of settings",
  record: "a map of texts",
  array: "a list",
};

const FORMATS: Record<string, string> = {
  cidrv4: "an IPv4 network such as 10.41.0.0/24",
  ipv4: "an IPv4 address such as 10.41.0.10",
  url: "a URL",
};

/** What is allowed, as the end of a remark. */
function allowed(issue: Issue, schema: Schema | undefined): string {
  // Messages of our own schemas begin with "must" or say what is wrong; zod's begin with "Invalid" or "Too".
  if (issue.message.startsWith("must ")) return `it ${issue.message}`;
  if (issue.code === "custom") return issue.message;
  if (issue.code === "invalid_type") return `it must be ${TYPES[issue.expected] ?? issue.expected}${range(schema)}`;
  if (issue.code === "too_small" || issue.code === "too_big") {
    if (issue.origin === "number" || issue.origin === "int") return `it must be a number${range(schema)}`;
    const [word, limit] = issue.code === "too_small" ? ["at least", issue.minimum] : ["at most", issue.maximum];
    const unit = issue.origin === "string" ? "character" : "entr";
    const plural = issue.origin === "string" ? (limit === 1 ? "" : "s") : limit === 1 ? "y" : "ies";
    return `it must have ${word} ${limit} ${unit}${plural}`;
  }
  const words = issue.code === "invalid_format" ? FORMATS[issue.format] : undefined;
  return words ? `it must be ${words}` : `expected: ${described(schema) ?? "another value"}`;
}

/** The bounds of a number, where it has any. */
function range(schema: Schema | undefined): string {
  const { minValue, maxValue } = (schema ? bare(schema) : {}) as { minValue?: number | null; maxValue?: number | null };
  // zod bounds every whole number by what a double holds exactly; that is no bound to tell.
  const low = Number.isSafeInteger(minValue) && minValue !== Number.MIN_SAFE_INTEGER ? minValue : undefined;
  const high = Number.isSafeInteger(maxValue) && maxValue !== Number.MAX_SAFE_INTEGER ? maxValue : undefined;
  if (low !== undefined && high !== undefined) return ` from ${low} to ${high}`;
  if (low !== undefined) return ` of ${low} or more`;
  return high !== undefined ? ` of ${high} or less` : "";
}

/** Turns the findings of zod's into problems for people; `schema` and `given` are those of the whole settings. */
export function explain(issues: readonly Issue[], schema: Schema, given: unknown): Problem[] {
  const same = (a: Issue, b: Issue): boolean =>
    a.path.length === b.path.length && a.path.every((part, i) => part === b.path[i]);
  return (
    issues
      // A value that has not even the right form need not be told that it breaks a rule, too.
      .filter(
        (issue) => issue.code !== "custom" || !issues.some((other) => other.code !== "custom" && same(issue, other)),
      )
      .flatMap((issue) => explainOne(issue, schema, given))
  );
}

function explainOne(issue: Issue, schema: Schema, given: unknown): Problem[] {
  const path = issue.path as Path;
  const here = schemaAt(schema, path, given);
  const value = valueAt(given, path);
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey(path, key, schema, given));
  if (issue.code === "invalid_key") {
    const words = issue.issues[0]?.message ?? "must be another name";
    return [{ path, at: "key", text: `is no possible key: it ${words}` }];
  }
  if (value === undefined) {
    const words = missingWords(issue, here);
    return [{ path, at: "parent", text: `is missing: it must be ${words}` }];
  }
  const choices = choicesOf(issue);
  if (choices) {
    const near = typeof value === "string" ? nearest(value, choices) : undefined;
    const text = `is ${show(value, path)}: it must be ${either(choices)}`;
    return [{ path, at: "value", text: near ? `${text}; did you mean ${near}?` : text }];
  }
  return [{ path, at: "value", text: `is ${show(value, path)}: ${allowed(issue, here)}` }];
}

/** The values that are possible, where they are few. */
function choicesOf(issue: Issue): string[] | undefined {
  if (issue.code === "invalid_value") return issue.values.map(String);
  if (issue.code === "invalid_union" && "options" in issue && issue.options) return issue.options.map(String);
  return undefined;
}

function missingWords(issue: Issue, schema: Schema | undefined): string {
  const choices = choicesOf(issue);
  if (choices) return either(choices);
  const words = described(schema);
  const type = issue.code === "invalid_type" ? (TYPES[issue.expected] ?? issue.expected) : "given";
  return words ? `${type} (${words})` : type;
}

function unknownKey(path: Path, key: string, schema: Schema, given: unknown): Problem {
  const place = schemaAt(schema, path, given) ?? schema;
  const holder = bare(place);
  const known = Object.keys(defOf(bare(variant(holder, valueAt(given, path)) ?? holder)).shape ?? {});
  const full = [...path, key];
  const near = nearest(key, known);
  if (near) return { path: full, at: "key", text: `is not known; did you mean ${near}?` };
  const owner = defOf(holder).options?.find((option) => key in (defOf(bare(option)).shape ?? {}));
  const discriminator = defOf(holder).discriminator;
  if (owner && discriminator) {
    const [tag] = defOf(bare(owner)).shape![discriminator]!._zod.values ?? [];
    return { path: full, at: "key", text: `is known only where ${discriminator} is ${String(tag)}` };
  }
  const [head = "", ...tail] = key.split(".");
  if (tail.length > 0 && known.includes(head)) {
    return { path: full, at: "key", text: `is not known: write ${tail.join(".")} as a key below ${head}` };
  }
  return { path: full, at: "key", text: `is not known; known here: ${known.join(", ")}` };
}
