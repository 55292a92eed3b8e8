import { maybeElsewhere, selects } from "../namespaces";
import { Pod, podsOf } from "../pods";
import { describe, groupOf, Resource, show } from "../resource";
import { kubernetes, stackRule } from "../rule";
import { isAbsent, isUnknown } from "../unknown";

const isZero = (value: unknown) => value === 0 || value === "0" || value === "0%";
const isAll = (value: unknown, replicas: number) =>
  value === "100%" || (typeof value === "number" && value >= replicas);

/** What is wrong with a budget: it keeps nothing alive, or it lets no node be drained. */
function flaw({ minAvailable, maxUnavailable }: any, replicas: number): string | undefined {
  if (isAbsent(minAvailable) && isAbsent(maxUnavailable)) return "has neither minAvailable nor maxUnavailable";
  if (isZero(minAvailable)) return `keeps nothing alive with minAvailable ${show(minAvailable)}`;
  if (isAll(minAvailable, replicas)) return `lets no node be drained with minAvailable ${show(minAvailable)}`;
  if (isZero(maxUnavailable)) return `lets no node be drained with maxUnavailable ${show(maxUnavailable)}`;
  if (isAll(maxUnavailable, replicas)) return `keeps nothing alive with maxUnavailable ${show(maxUnavailable)}`;
  return undefined;
}

/** CloudNativePG makes the budgets of its clusters itself, unless it is told not to. */
const operatorBudget = ({ object, props }: Resource) =>
  object?.kind === "Cluster" && groupOf(object) === "postgresql.cnpg.io" && props["spec"]?.enablePDB !== false;

/** Draining a node may not take the last copy, and must be possible. */
export const podDisruptionBudgets = stackRule(
  {
    id: "pod-disruption-budgets",
    title: "Workloads with several copies have a disruption budget",
    severity: "medium",
    controls: [kubernetes("Specifying a Disruption Budget for your Application")],
    scanners: {
      kubeScore: [
        "deployment-has-poddisruptionbudget",
        "statefulset-has-poddisruptionbudget",
        "poddisruptionbudget-has-policy",
      ],
    },
    remediation:
      "Add a PodDisruptionBudget with minAvailable or maxUnavailable above 0 and below the number of copies.",
  },
  (resources, report) => {
    const budgets = resources.filter(({ object }) => object?.kind === "PodDisruptionBudget");
    const several = (pod: Pod): boolean => !isUnknown(pod.replicas) && (pod.replicas ?? 0) > 1;
    for (const pod of resources.flatMap(podsOf).filter(several)) {
      const { resource, metadata } = pod;
      if (operatorBudget(resource) || isUnknown(resource.props["metadata"]?.namespace)) continue;
      const own = budgets.filter(
        ({ object, props }) =>
          object?.namespace === resource.object?.namespace && selects(props["spec"]?.selector, metadata.labels),
      );
      if (own.length === 0 && !maybeElsewhere(resources, "PodDisruptionBudget")) {
        report(resource, `${describe(resource)} runs ${pod.replicas} times and has no PodDisruptionBudget`);
      }
      for (const budget of own) {
        const what = isUnknown(budget.props["spec"]) ? undefined : flaw(budget.props["spec"], pod.replicas!);
        if (what) report(budget, `${describe(budget)} ${what}`);
      }
    }
  },
);
