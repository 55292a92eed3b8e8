import { groundwork, kubernetes, objectRule } from "../rule";
import { hasUnknown, isAbsent, isUnknown, list } from "../unknown";

/** Longest time that the API server may wait for a webhook, in seconds; Kubernetes takes up to 30. */
const longest = 10;
/** Groups whose objects the cluster needs to come up and to repair itself. */
const vital = [
  "",
  "apps",
  "batch",
  "policy",
  "rbac.authorization.k8s.io",
  "coordination.k8s.io",
  "discovery.k8s.io",
  "*",
];

/** Whether a selector leaves kube-system out, by the label that the API server puts on every namespace. */
const sparesSystem = (selector: any): boolean =>
  list<any>(selector?.matchExpressions).some(
    (one) =>
      isUnknown(one) ||
      (one?.operator === "NotIn" && list<string>(one.values).includes("kube-system")) ||
      (one?.operator === "In" &&
        one?.key === "kubernetes.io/metadata.name" &&
        !list<string>(one.values).includes("kube-system")),
  ) || Object.keys(selector?.matchLabels ?? {}).length > 0;

function findings(webhook: any): string[] {
  if (isUnknown(webhook)) return [];
  const { name, failurePolicy, timeoutSeconds, namespaceSelector, rules } = webhook ?? {};
  const about = `has the webhook "${isUnknown(name) ? "?" : name}"`;
  const groups = list<any>(rules).flatMap((rule) => list<string>(rule?.apiGroups));
  const spared = hasUnknown(namespaceSelector) || sparesSystem(namespaceSelector);
  return [
    ...(isAbsent(failurePolicy) ? [`${about} without a failurePolicy`] : []),
    ...(isAbsent(timeoutSeconds) || timeoutSeconds > longest
      ? [`${about} with no timeout of ${longest} seconds or less`]
      : []),
    ...(groups.some((group) => vital.includes(group)) && !spared
      ? [`${about} that judges built-in objects of kube-system, too`]
      : []),
  ];
}

/** A webhook that does not answer must not keep the cluster from repairing itself, the webhook's own pod included. */
export const webhookSafety = objectRule(
  {
    id: "webhook-safety",
    title: "Webhooks say what happens when they fail, answer soon, and leave kube-system alone",
    severity: "high",
    controls: [
      kubernetes("Admission Webhook Good Practices"),
      groundwork("Nothing keeps the cluster from repairing itself"),
    ],
    remediation: "Set failurePolicy, timeoutSeconds of at most 10, and a namespaceSelector without kube-system.",
  },
  ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"],
  ({ webhooks }) => list<any>(webhooks).flatMap(findings),
);
