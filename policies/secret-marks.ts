import { ResourceValidationPolicy, Secret } from "@pulumi/policy";

/** Reads through the SDK's proxies, which unwrap secrets and trap unknown values. */
const target = "__getSpecialProxyTarget";

/**
 * Which values of each resource the program marked as secret. The engine shows validations plain values without marks;
 * it shows the marks to remediations, and runs those first. So a policy that remediates nothing takes them down.
 */
export class SecretMarks {
  private readonly paths = new Map<string, readonly string[]>();

  /** Paths of the secret values of a resource, such as `data.password`. */
  of(urn: string): readonly string[] {
    return this.paths.get(urn) ?? [];
  }

  /** The policy to put first in the pack. */
  policy(): ResourceValidationPolicy {
    return {
      name: "secret-marks",
      displayName: "Secret marks",
      description: "Notes which values are secret, for the rules; changes and refuses nothing.",
      enforcementLevel: "remediate",
      remediateResource: ({ urn, props }) => {
        this.paths.set(urn, secretPaths(props));
      },
      // A policy that remediates must validate, too, or the engine counts it as not applicable.
      validateResource: () => undefined,
    };
  }
}

/** Paths of all secret values below a value. */
export function secretPaths(value: unknown, path = ""): string[] {
  const plain = unwrap(value);
  if (plain instanceof Secret) return [path];
  if (typeof plain !== "object" || plain === null) return [];
  const join = (key: string) => (path === "" ? key : Array.isArray(plain) ? `${path}[${key}]` : `${path}.${key}`);
  return Object.keys(plain).flatMap((key) => secretPaths((plain as Record<string, unknown>)[key], join(key)));
}

function unwrap(value: unknown): unknown {
  let current: any = value;
  while (typeof current === "object" && current !== null && current["__isSpecialProxy"] === true) {
    current = current[target];
  }
  return current;
}
