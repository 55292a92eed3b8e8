import * as policy from "@pulumi/policy";

// Exported by the package at run time; its declaration file leaves internal names out.
const { UnknownValueError } = policy as unknown as { UnknownValueError: new (...args: never[]) => Error };

/**
 * Takes the place of a value that is known only after the update. Each of its properties is itself unknown, so
 * that a rule may follow a path through it; it equals nothing, and counts as neither set nor missing.
 */
export const unknown: any = new Proxy(() => undefined, {
  get: (_target, key) => (key === Symbol.toPrimitive ? () => "(known after the update)" : unknown),
  has: () => false,
  ownKeys: () => [],
  getOwnPropertyDescriptor: () => undefined,
});

/** Whether a value is known only after the update. */
export const isUnknown = (value: unknown): boolean => value === unknown;

/** Known to be missing. */
export const isAbsent = (value: unknown): value is undefined | null => value === undefined || value === null;

/** Known, and something else than `expected` (missing counts as something else). */
export const isNot = <T>(value: T | undefined, expected: T): boolean => !isUnknown(value) && value !== expected;

/** The elements of a list; none when it is missing or unknown. */
export const list = <T>(value: readonly T[] | null | undefined): readonly T[] => (Array.isArray(value) ? value : []);

/** The entries of a map; none when it is missing or unknown. */
export const entries = <T>(value: Record<string, T> | null | undefined): [string, T][] =>
  isUnknown(value) || isAbsent(value) ? [] : Object.entries(value);

/** Whether an unknown value stands anywhere inside. */
export function hasUnknown(value: unknown): boolean {
  if (isUnknown(value)) return true;
  return typeof value === "object" && value !== null && Object.values(value).some(hasUnknown);
}

/**
 * A plain copy of the properties that the engine hands to a rule, in which unknown values are `unknown` instead of
 * a trap that throws when it is read: one unknown field must not switch off the whole rule at preview.
 */
export function withoutTraps<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  const source = value as Record<string, unknown>;
  const copy: Record<string, unknown> | unknown[] = Array.isArray(value) ? [] : {};
  for (const key of Object.keys(source)) (copy as Record<string, unknown>)[key] = read(source, key);
  return copy as T;
}

function read(source: Record<string, unknown>, key: string): unknown {
  try {
    return withoutTraps(source[key]);
  } catch (error) {
    if (error instanceof UnknownValueError) return unknown;
    throw error;
  }
}
