import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { AdmissionMode, admissionPolicies } from "../../policies/admission";
import type { Level, PackConfig } from "../../policies/config";
import { exemptions as ownExemptions } from "../../policies/exemption-list";
import type { Exemption } from "../../policies/exemptions";
import { rules } from "../../policies/rules";

export interface AdmissionPoliciesArgs {
  /** What the API server does with an object that breaks a rule. @default "Deny" */
  enforcement?: AdmissionMode;
  /** Levels that the stack gives single rules: `advisory` warns, `disabled` leaves the rule out. @default none */
  levels?: Readonly<Record<string, Level | { level: Level }>>;
  /** What the stack tells single rules, as `packConfig` makes it of the settings. @default nothing */
  settings?: PackConfig;
  /** Namespaces that are left alone besides kube-system, kube-public and kube-node-lease. @default none */
  exemptNamespaces?: string[];
  /** Accounts whose requests are not judged, besides Kubernetes' and K3s's own. @default none */
  exemptAccounts?: string[];
  /** @default those of the policy pack */
  exemptions?: readonly Exemption[];
}

/**
 * The policy pack's rules as the cluster's own admission: what someone applies by hand is held to what the graph is held
 * to. One ValidatingAdmissionPolicy with its binding for each rule that can be judged by one object; `failurePolicy` is Fail.
 */
export class AdmissionPolicies extends pulumi.ComponentResource {
  /** Ids of the rules that the cluster holds itself. */
  readonly rules: readonly string[];
  /** The same list, known once all of them are bound; the API server applies them within seconds. */
  readonly ready: pulumi.Output<string[]>;

  constructor(name: string, args: AdmissionPoliciesArgs = {}, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:cluster:AdmissionPolicies", name, {}, opts);
    const levels = Object.entries(args.levels ?? {}).map(([rule, value]) => [
      rule,
      typeof value === "string" ? value : value.level,
    ]);
    const planned = admissionPolicies(rules, {
      mode: args.enforcement ?? "Deny",
      exemptions: args.exemptions ?? ownExemptions,
      settings: valuesOf(args.settings ?? {}),
      exemptNamespaces: args.exemptNamespaces,
      exemptAccounts: args.exemptAccounts,
      levels: Object.fromEntries(levels) as Record<string, Level>,
    });
    const bound = planned.map(({ rule, policy, binding }) => {
      const made = new k8s.admissionregistration.v1.ValidatingAdmissionPolicy(`${name}-${rule}`, policy, {
        parent: this,
      });
      const spec = { validationActions: binding.spec.validationActions, policyName: made.metadata.name };
      return new k8s.admissionregistration.v1.ValidatingAdmissionPolicyBinding(
        `${name}-${rule}-binding`,
        { ...binding, spec },
        { parent: this },
      );
    });
    this.rules = planned.map(({ rule }) => rule);
    this.ready = pulumi.all(bound.map(({ id }) => id)).apply(() => planned.map(({ rule }) => rule));
    this.registerOutputs({ ready: this.ready });
  }
}

/** The values that rules are told; what is a level alone has none. */
const valuesOf = (config: PackConfig): Record<string, Record<string, unknown>> =>
  Object.fromEntries(Object.entries(config).map(([rule, value]) => [rule, typeof value === "string" ? {} : value]));
