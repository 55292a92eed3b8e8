/** Reads fields of requests; what is not as the API wants it is an `invalid_input` that names the field. */
import { invalid } from "./errors";
import { type Labels, checkLabels } from "./selector";

export type Body = Record<string, unknown>;

export function asObject(value: unknown, field: string): Body {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(field, "must be an object");
  return value as Body;
}

export function optionalText(body: Body, field: string): string | undefined {
  const v = body[field];
  if (v === undefined || v === null) return undefined;
  if (typeof v !== "string") throw invalid(field, "must be a string");
  return v;
}

export function text(body: Body, field: string): string {
  const v = optionalText(body, field);
  if (v === undefined || v === "") throw invalid(field, "is required");
  return v;
}

export function oneOf<T extends string>(body: Body, field: string, allowed: readonly T[], otherwise?: T): T {
  const v = optionalText(body, field) ?? otherwise;
  if (v === undefined) throw invalid(field, "is required");
  if (!allowed.includes(v as T)) throw invalid(field, `must be one of ${allowed.join(", ")}`);
  return v as T;
}

export function optionalInteger(body: Body, field: string, min: number, max: number): number | undefined {
  const v = body[field];
  if (v === undefined || v === null) return undefined;
  if (typeof v !== "number" || !Number.isInteger(v)) throw invalid(field, "must be an integer");
  if (v < min || v > max) throw invalid(field, `must be between ${min} and ${max}`);
  return v;
}

export function integer(body: Body, field: string, min: number, max: number): number {
  const v = optionalInteger(body, field, min, max);
  if (v === undefined) throw invalid(field, "is required");
  return v;
}

export function optionalBoolean(body: Body, field: string): boolean | undefined {
  const v = body[field];
  if (v === undefined || v === null) return undefined;
  if (typeof v !== "boolean") throw invalid(field, "must be a boolean");
  return v;
}

export const boolean = (body: Body, field: string, otherwise: boolean): boolean =>
  optionalBoolean(body, field) ?? otherwise;

/** The id of another object: a number above zero. */
export const optionalId = (body: Body, field: string): number | undefined =>
  optionalInteger(body, field, 1, Number.MAX_SAFE_INTEGER);

export function id(body: Body, field: string): number {
  const v = optionalId(body, field);
  if (v === undefined) throw invalid(field, "is required");
  return v;
}

export function list(body: Body, field: string): unknown[] {
  const v = body[field];
  if (v === undefined || v === null) return [];
  if (!Array.isArray(v)) throw invalid(field, "must be a list");
  return v;
}

export function ids(body: Body, field: string): number[] {
  return list(body, field).map((v) => {
    if (typeof v !== "number" || !Number.isInteger(v) || v < 1) throw invalid(field, "must be a list of IDs");
    return v;
  });
}

export const objects = (body: Body, field: string): Body[] => list(body, field).map((v) => asObject(v, field));

/** What names an object of the catalogue: an id or a name. */
export function idOrName(body: Body, field: string): string | number | undefined {
  const v = body[field];
  if (v === undefined || v === null || v === "") return undefined;
  if (typeof v !== "string" && typeof v !== "number") throw invalid(field, "must be an ID or a name");
  return v;
}

const names = {
  /** Names of most kinds. */
  any: /^[^\s].{0,127}$/,
  /** RFC 1123, since a server's name is its host name. */
  host: /^(?=.{1,253}$)[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/,
  volume: /^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,62}[a-zA-Z0-9])?$/,
};

export function name(body: Body, form: keyof typeof names = "any"): string {
  const v = text(body, "name");
  if (!names[form].test(v)) throw invalid("name", form === "host" ? "must be a valid hostname" : "is not valid");
  return v;
}

export const labels = (body: Body): Labels => checkLabels(body["labels"]);
