import type { CostSettings } from "../stacks/cost/settings";
import { ruleFacts } from "./rule-facts";
import type { WorldPorts } from "./world";

/** What a stack is for. */
export type Environment = "development" | "staging" | "production";
/** How the engine takes a violation of a rule. */
export type Level = "mandatory" | "advisory" | "remediate" | "disabled";

/** What the pack is told about a stack; the stack's settings have the same form. */
export interface PackSettings {
  environment: Environment;
  /** Level by rule, or for all. */
  enforcement: Record<string, Level | { level: Level }>;
  /** Most that the ResourceQuota of one namespace may give. */
  quota: QuotaBounds;
  /** Ports that may be open to everyone. */
  worldPorts: WorldPorts;
  /** What the stack may cost, and by which prices. Default: no cap. */
  cost?: CostSettings;
}

/** Sums over all pods of a namespace. */
export interface QuotaBounds {
  requests: { cpu: string; memory: string };
  limits: { cpu: string; memory: string };
}

/** Configuration of the pack as `--policy-pack-config` takes it. */
export type PackConfig = Record<string, Level | ({ enforcementLevel?: Level } & Record<string, unknown>)>;

/** Rules that are advice outside of production, since what they ask for costs machines and money. */
const productionOnly = ["data-store-backups"];

/**
 * The pack's configuration for a stack. `all` does not reach critical rules: those are lowered by name only, and there the
 * settings ask for a reason and a date.
 */
export function packConfig({ environment, enforcement, quota, worldPorts, cost }: PackSettings): PackConfig {
  const levelOf = (value: Level | { level: Level } | undefined) => (typeof value === "object" ? value.level : value);
  const everything = levelOf(enforcement["all"]) ?? "mandatory";
  return Object.fromEntries(
    Object.entries(ruleFacts).map(([rule, { severity, takes }]) => {
      const usual = severity === "critical" ? "mandatory" : everything;
      const eased = environment !== "production" && productionOnly.includes(rule) ? "advisory" : usual;
      return [
        rule,
        {
          enforcementLevel: levelOf(enforcement[rule]) ?? eased,
          ...(takes?.includes("environment") && { environment }),
          ...(takes?.includes("quota") && { quota }),
          ...(takes?.includes("worldPorts") && { worldPorts }),
          ...(takes?.includes("cost") && cost && { cost }),
        },
      ];
    }),
  );
}
