import type {
  Policies,
  ReportViolation,
  ResourceValidationArgs,
  ResourceValidationPolicy,
  StackValidationPolicy,
} from "@pulumi/policy";
import { Exemption, Exemptions } from "./exemptions";
import { message, ResourceRule, Rule, StackRule } from "./rule";
import { Resource, toResource } from "./resource";
import { SecretMarks } from "./secret-marks";

/** What a pack is made of. */
export interface PackContents {
  rules: readonly Rule[];
  exemptions: readonly Exemption[];
  /** The clock; for tests. */
  now?: () => Date;
}

/**
 * Turns rules into policies of the engine. Everything that the rules share happens here: reading the resource with unknown
 * values and secret marks, exemptions, and the form of the message.
 */
export function toPolicies({ rules, exemptions, now }: PackContents): Policies {
  const marks = new SecretMarks();
  const seen: Seen = new Map();
  const granted = new Exemptions(exemptions, rules, now);
  const policies = rules.map((rule) =>
    rule.scope === "resource" ? resourcePolicy(rule, granted, marks, seen) : stackPolicy(rule, granted, seen),
  );
  return [marks.policy(), ...policies, stackPolicy(granted.rule(), granted, seen)];
}

/**
 * The resources by URN as the program asked for them. Stack rules judge by that as well: the engine shows them outputs, which
 * a preview has none of where the cluster itself is only planned, and which hold what the API server added.
 */
type Seen = Map<string, Resource>;

function describePolicy({ id, title, severity, remediation, controls, configSchema }: Rule) {
  return {
    name: id,
    displayName: title,
    description: `${title}.`,
    severity,
    remediationSteps: remediation,
    tags: [...new Set(controls.map((control) => control.framework))],
    enforcementLevel: "mandatory" as const,
    ...(configSchema && { configSchema }),
  };
}

function resourcePolicy(
  rule: ResourceRule,
  exemptions: Exemptions,
  marks: SecretMarks,
  seen: Seen,
): ResourceValidationPolicy {
  return {
    ...describePolicy(rule),
    validateResource: (args, report) => {
      const { urn, type, name, props, provider, opts } = args;
      const { protect } = opts;
      const resource = toResource({ urn, type, name, props, provider: provider?.urn, secrets: marks.of(urn), protect });
      seen.set(urn, resource);
      exemptions.consider(rule.id, resource);
      rule.check(resource, reporter(rule, resource, exemptions, report), args.getConfig());
    },
    ...(rule.remediate && {
      // The engine asks only where the level is `remediate`. What is exempted is left as it is.
      remediateResource: ({ urn, type, name, props }: ResourceValidationArgs) => {
        const resource = toResource({ urn, type, name, props });
        if (exemptions.cover(rule.id, resource)) return undefined;
        return rule.remediate!(resource, props) ? props : undefined;
      },
    }),
  };
}

function stackPolicy(rule: StackRule, exemptions: Exemptions, seen: Seen): StackValidationPolicy {
  return {
    ...describePolicy(rule),
    validateStack: (args, report) => {
      const resources = args.resources.map(
        ({ urn, type, name, props, provider, opts }) =>
          seen.get(urn) ?? toResource({ urn, type, name, props, provider: provider?.urn, protect: opts.protect }),
      );
      const at = (resource: Resource | undefined, what: string) => reporter(rule, resource, exemptions, report)(what);
      rule.check(resources, at, args.getConfig());
    },
  };
}

const reporter =
  (rule: Rule, resource: Resource | undefined, exemptions: Exemptions, report: ReportViolation) => (what: string) => {
    if (!exemptions.cover(rule.id, resource)) report(message(rule, what), resource?.urn);
  };
