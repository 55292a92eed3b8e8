import { literal, targets } from "../cel";
import { quantity } from "../quantity";
import { nsa, objectRule, RuleConfig, trivy } from "../rule";
import { isAbsent, isUnknown } from "../unknown";

/** What one namespace of an application may have, from the resource management of the platform's requirements. */
const usual = { requests: { cpu: "4", memory: "8Gi" }, limits: { cpu: "8", memory: "16Gi" } };

const bounds = (config: RuleConfig): [string, string][] => {
  const { requests, limits } = { ...usual, ...(config["quota"] as typeof usual | undefined) };
  return [
    ["requests.cpu", requests.cpu],
    ["requests.memory", requests.memory],
    ["limits.cpu", limits.cpu],
    ["limits.memory", limits.memory],
  ];
};

/** CEL of the same; a quota that names none of the four bounds something else, such as the number of objects. */
const valid = (config: RuleConfig): string => {
  const hard = "object.spec.?hard.orValue({})";
  const names = bounds(config).map(([name]) => name);
  const each = bounds(config).map(
    ([name, most]) =>
      `(${literal(name)} in ${hard} && quantity(string(${hard}[${literal(name)}])).compareTo(quantity(${literal(most)})) <= 0)`,
  );
  return `!${literal(names)}.exists(n, n in ${hard}) || ${each.join(" && ")}`;
};

/** A quota without these numbers, or with ones that no node has, bounds nothing. */
export const resourceQuotaBounds = objectRule(
  {
    id: "resource-quota-bounds",
    title: "ResourceQuotas bound CPU and memory, by no more than the stack allows one namespace",
    severity: "medium",
    controls: [nsa("Resource policies"), trivy("KSV-0040")],
    cluster: { per: "object", of: [targets.quotas], valid },
    remediation: "Set requests and limits of cpu and memory within groundwork:policies.quota of the stack.",
    configSchema: { properties: { quota: { type: "object" } } },
  },
  ["ResourceQuota"],
  ({ spec }, _resource, config) => {
    if (isUnknown(spec?.hard)) return undefined;
    const hard = spec?.hard ?? {};
    return bounds(config).flatMap(([name, most]) => {
      if (isUnknown(hard[name])) return [];
      if (isAbsent(hard[name])) return [`bounds no ${name}`];
      const given = quantity(hard[name]);
      const excess = given === undefined || given > quantity(most)!;
      return excess ? [`gives ${name} ${hard[name]}, more than ${most}`] : [];
    });
  },
);
