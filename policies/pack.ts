import type { Policies, ReportViolation, ResourceValidationPolicy, StackValidationPolicy } from "@pulumi/policy";
import { Exemption, Exemptions } from "./exemptions";
import { message, ResourceRule, Rule, StackRule } from "./rule";
import { Resource, toResource } from "./resource";
import { SecretMarks } from "./secret-marks";
import { withoutTraps } from "./unknown";

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
  const asked: Asked = new Map();
  const granted = new Exemptions(exemptions, rules, now);
  const policies = rules.map((rule) =>
    rule.scope === "resource" ? resourcePolicy(rule, granted, marks, asked) : stackPolicy(rule, granted, asked),
  );
  return [marks.policy(), ...policies, stackPolicy(granted.rule(), granted, asked)];
}

/**
 * What the program asked for, by URN. While a cluster is only planned, a preview has no outputs of what stands on it, and
 * the engine shows stack rules nothing of those resources: then the rules judge by what was asked for.
 */
type Asked = Map<string, Record<string, any>>;

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
  asked: Asked,
): ResourceValidationPolicy {
  return {
    ...describePolicy(rule),
    validateResource: (args, report) => {
      const { urn, type, name, props, provider } = args;
      const resource = toResource({ urn, type, name, props, provider: provider?.urn, secrets: marks.of(urn) });
      asked.set(urn, resource.props);
      exemptions.consider(rule.id, resource);
      rule.check(resource, reporter(rule, resource, exemptions, report), args.getConfig());
    },
  };
}

function stackPolicy(rule: StackRule, exemptions: Exemptions, asked: Asked): StackValidationPolicy {
  return {
    ...describePolicy(rule),
    validateStack: (args, report) => {
      const resources = args.resources.map(({ urn, type, name, props, provider }) =>
        toResource({ urn, type, name, props: { ...asked.get(urn), ...withoutTraps(props) }, provider: provider?.urn }),
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
