import { exemptedWhere } from "./admission-exemptions";
import { literal } from "./cel";
import type { Level } from "./config";
import type { Exemption } from "./exemptions";
import { systemNamespaces } from "./kinds";
import type { AdmissionTarget, ClusterForm, Rule, RuleConfig } from "./rule";

/** What the API server does with an object that breaks a rule. */
export type AdmissionMode = "Deny" | "Warn" | "Audit";

export interface AdmissionOptions {
  mode: AdmissionMode;
  exemptions: readonly Exemption[];
  /** Namespaces that are left alone besides the system's own. @default none */
  exemptNamespaces?: readonly string[];
  /** Levels that the stack gives single rules: `advisory` warns, `disabled` leaves the rule out. @default none */
  levels?: Readonly<Record<string, Level>>;
  /** What the stack tells single rules, such as the bounds of quotas. @default nothing */
  settings?: Readonly<Record<string, RuleConfig>>;
  /** Accounts beside {@link systemAccounts} whose requests are not judged. @default none */
  exemptAccounts?: readonly string[];
  /** The clock; for tests. */
  now?: Date;
}

/** A ValidatingAdmissionPolicy with its binding, as plain objects. */
export interface RulePolicy {
  rule: string;
  policy: { metadata: { name: string }; spec: Record<string, any> };
  binding: { metadata: { name: string }; spec: { policyName: string; validationActions: string[] } };
}

/**
 * Who makes what Kubernetes and K3s bring with them: the API server's own loop (default roles, the Service `kubernetes`), the
 * controller that fills aggregated roles, the publisher of the cluster's CA, and K3s's supervisor, which applies its manifests.
 */
export const systemAccounts: readonly string[] = [
  "system:apiserver",
  "system:k3s-supervisor",
  "system:serviceaccount:kube-system:clusterrole-aggregation-controller",
  "system:serviceaccount:kube-system:root-ca-cert-publisher",
];

/** Everything that is a pod or makes pods of a template. */
const podMakers: readonly AdmissionTarget[] = [
  { group: "", resources: ["pods", "pods/ephemeralcontainers", "podtemplates", "replicationcontrollers"] },
  { group: "apps", resources: ["deployments", "statefulsets", "daemonsets", "replicasets"] },
  { group: "batch", resources: ["jobs", "cronjobs"] },
];

/**
 * What expressions about pods may use: the pod's spec and metadata wherever the kind keeps them, its security context, all
 * containers, all security contexts, whether the pod ends by itself, and whether something else made it of a template.
 */
const podVariables = [
  {
    name: "template",
    expression:
      "object.kind == 'Pod' ? object : object.kind == 'PodTemplate' ? object.template : " +
      "object.kind == 'CronJob' ? object.spec.jobTemplate.spec.template : object.spec.template",
  },
  { name: "podSpec", expression: "variables.template.spec" },
  { name: "podMetadata", expression: "variables.template.?metadata.orValue({})" },
  { name: "podContext", expression: "variables.podSpec.?securityContext.orValue({})" },
  {
    name: "containers",
    expression:
      "variables.podSpec.containers + variables.podSpec.?initContainers.orValue([]) + " +
      "variables.podSpec.?ephemeralContainers.orValue([])",
  },
  { name: "contexts", expression: "([variables.podSpec] + variables.containers).map(x, x.?securityContext)" },
  {
    name: "finite",
    expression:
      "object.kind in ['Job', 'CronJob'] || (object.kind == 'Pod' && variables.podSpec.?restartPolicy.orValue('') != 'Always')",
  },
  { name: "owned", expression: "object.metadata.?ownerReferences.orValue([]).exists(o, o.?controller.orValue(false))" },
];

/** What is there already is judged anew only when its content changes: a finalizer must always come off. */
const contentChanged = (fields: readonly string[]): string =>
  [
    "oldObject == null",
    ...fields.map((field) => `${optional("object", field)} != ${optional("oldObject", field)}`),
  ].join(" || ");
const optional = (of: string, field: string): string => `${of}.?${field}`;

/** The fields in which what makes pods keeps its content, and those of the other kinds that rules look at. */
const podFields = ["spec", "template"];
const objectFields = ["spec", "data", "rules", "roleRef", "subjects", "type", "metadata.?labels"];

function validation(rule: Rule, form: ClusterForm, config: RuleConfig) {
  const what = `${rule.title}. ${rule.remediation} (groundwork: ${rule.id})`;
  if (form.per !== "container") {
    const expression = typeof form.valid === "string" ? form.valid : form.valid(config);
    return { expression, message: what, reason: "Forbidden" };
  }
  const bad = `variables.containers.filter(c, !(${form.valid})).map(c, c.name).join(', ')`;
  return {
    expression: `variables.containers.all(c, ${form.valid})`,
    message: what,
    messageExpression: `'Containers ' + ${bad} + ': ' + ${literal(what)}`,
    reason: "Forbidden",
  };
}

/** What the cluster does about one rule's violations; undefined where the stack has switched the rule off. */
function actions(mode: AdmissionMode, level: Level | undefined): string[] | undefined {
  if (level === "disabled") return undefined;
  const eased = level === "advisory" && mode === "Deny" ? "Warn" : mode;
  return eased === "Warn" ? ["Warn", "Audit"] : [eased];
}

/** The policies of all rules that have a form for the cluster. Pure: the same rules and exemptions give the same objects. */
export function admissionPolicies(rules: readonly Rule[], options: AdmissionOptions): RulePolicy[] {
  const spared = [...systemNamespaces, ...(options.exemptNamespaces ?? [])];
  const accounts = [...systemAccounts, ...(options.exemptAccounts ?? [])];
  return rules.flatMap((rule): RulePolicy[] => {
    const form = rule.cluster;
    const validationActions = actions(options.mode, options.levels?.[rule.id]);
    if (!form || !validationActions) return [];
    const name = `groundwork-${rule.id}`;
    const targets = form.per === "object" ? form.of : podMakers;
    const resourceRules = targets.map(({ group, resources }) => ({
      apiGroups: [group],
      apiVersions: ["*"],
      operations: ["CREATE", "UPDATE"],
      resources,
    }));
    const matchConditions = [
      { name: "changed", expression: contentChanged(form.per === "object" ? objectFields : podFields) },
      { name: "not-the-system", expression: `!(request.userInfo.username in ${literal(accounts)})` },
      ...exemptedWhere(rule.id, options.exemptions, options.now ?? new Date()).map((expression, index) => ({
        name: `exemption-${index + 1}`,
        expression: `!(${expression})`,
      })),
    ];
    return [
      {
        rule: rule.id,
        policy: {
          metadata: { name },
          spec: {
            failurePolicy: "Fail",
            matchConstraints: {
              matchPolicy: "Equivalent",
              namespaceSelector: {
                matchExpressions: [{ key: "kubernetes.io/metadata.name", operator: "NotIn", values: spared }],
              },
              resourceRules,
            },
            matchConditions,
            ...(form.per !== "object" && { variables: podVariables }),
            validations: [validation(rule, form, options.settings?.[rule.id] ?? {})],
          },
        },
        binding: { metadata: { name }, spec: { policyName: name, validationActions } },
      },
    ];
  });
}
