import { z } from "zod";
import type { PackSettings } from "../../policies/config";
import { ruleFacts } from "../../policies/rule-facts";
import type { CostSettings } from "../cost/settings";
import { nearest } from "./nearest";

/** How the engine takes a violation: see "enforcement levels" in Pulumi's documentation of policy packs. */
const levelSchema = z.enum(["mandatory", "advisory", "remediate", "disabled"]);

const today = () => new Date().toISOString().slice(0, 10);

/** A level with what an exemption has, too: why, who answers for it, until when. */
const reasonedSchema = z.strictObject({
  level: levelSchema.describe("The level: mandatory, advisory, remediate or disabled."),
  reason: z.string().min(30).describe("Why the rule may be broken here, in a sentence of 30 characters or more."),
  owner: z.string().min(1).describe("Who answers for it: a person or a team."),
  expires: z
    .string()
    .regex(/^\d{4}-\d{2}-\d{2}$/, { error: "must be a date such as 2027-01-31" })
    .refine((date) => date >= today(), { error: "must not be past: look at the reason again and give a new date" })
    .describe("Last day on which it holds, as YYYY-MM-DD."),
});

const enforcementSchema = z
  .record(
    z.string(),
    z.union([levelSchema, reasonedSchema], {
      error: "must be mandatory, advisory, remediate or disabled, or a map of level, reason, owner and expires",
    }),
  )
  .superRefine((given, context) => {
    const wrong = (rule: string, message: string) => context.addIssue({ code: "custom", path: [rule], message });
    for (const [rule, value] of Object.entries(given)) {
      const { level } = typeof value === "string" ? { level: value } : value;
      const facts = ruleFacts[rule];
      if (rule === "all") {
        if (level !== "mandatory" && level !== "advisory") wrong(rule, "must be mandatory or advisory");
      } else if (!facts) {
        const near = nearest(rule, Object.keys(ruleFacts));
        wrong(
          rule,
          near ? `no rule has this name; did you mean ${near}?` : "no rule has this name: see docs/policies.md",
        );
      } else if (level === "remediate" && !facts.remediates) {
        wrong(rule, "the rule has no remediation: see docs/policies.md for those that have");
      } else if (facts.severity === "critical" && lowered(level) && typeof value === "string") {
        wrong(rule, "a critical rule is lowered only with level, reason, owner and expires");
      }
    }
  })
  .meta({ propertyNames: { enum: ["all", ...Object.keys(ruleFacts)] } });

const lowered = (level: string): boolean => level === "advisory" || level === "disabled";

const cpu = z
  .string()
  .regex(/^(\d+m|\d+(\.\d+)?)$/, { error: "must be cores such as 2, or thousandths of one such as 250m" });
const memory = z.string().regex(/^\d+(Mi|Gi)$/, { error: "must be a size such as 512Mi or 8Gi" });
const quota = (what: string, cores: string, size: string) =>
  z
    .strictObject({
      cpu: cpu.default(cores).describe(`Cores that a namespace's pods may ${what} in all. Default: ${cores}.`),
      memory: memory.default(size).describe(`Memory that a namespace's pods may ${what} in all. Default: ${size}.`),
    })
    .prefault({});

const ports = z.array(z.int().min(1).max(65535));

/** What the policy pack is told about a stack. */
export const policiesSchema = z
  .strictObject({
    environment: z
      .enum(["development", "staging", "production"])
      .optional()
      .describe(
        "What the stack is for; production is held to deletion protection and backups. Default: production where " +
          "protect is true, else development.",
      ),
    enforcement: enforcementSchema
      .default({ all: "mandatory" })
      .describe(
        "Level of each rule of docs/policies.md, or of all: mandatory, advisory, remediate or disabled. A critical rule is " +
          "lowered only with a map of level, reason, owner and expires. Default: all mandatory.",
      ),
    quota: z
      .strictObject({
        requests: quota("request", "4", "8Gi").describe("Upper bound of what may be requested."),
        limits: quota("use", "8", "16Gi").describe("Upper bound of the limits."),
      })
      .prefault({})
      .describe("Most that the ResourceQuota of one namespace may give."),
    worldPorts: z
      .strictObject({
        tcp: ports.default([80, 443]).describe("TCP ports. Default: 80 and 443."),
        udp: ports.default([51820]).describe("UDP ports. Default: 51820, WireGuard."),
      })
      .prefault({})
      .describe("Ports that firewalls may open to everyone."),
  })
  .prefault({});

export type PolicySettings = z.infer<typeof policiesSchema>;

/** What the policy pack is told of a stack: its own settings, with the environment that follows from the others. */
export const packSettings = (settings: {
  policies: PolicySettings;
  protect: boolean;
  cost?: CostSettings;
}): PackSettings => ({
  ...settings.policies,
  ...(settings.cost && { cost: settings.cost }),
  environment: settings.policies.environment ?? (settings.protect ? "production" : "development"),
});
