import { groupOf, RoleName } from "./roles";

/** One question to the API server's authorizer, and the answer that it must give. */
export interface CanI {
  role: RoleName;
  verb: string;
  /** `resource`, `resource/subresource`, each with `.group` behind the resource where it has one: `deployments.apps/scale`. */
  resource: string;
  /** `*`: in every namespace, or cluster-scoped. */
  namespace: string;
  allowed: boolean;
}

/** A namespace in which developers work, and one in which they do not. */
export const canINamespaces = { own: "app", foreign: "vault" };
const { own, foreign } = canINamespaces;

const ask = (roles: RoleName[], verb: string, resource: string, namespace: string, allowed: boolean): CanI[] =>
  roles.map((role) => ({ role, verb, resource, namespace, allowed }));
const all: RoleName[] = ["admin", "developer", "viewer"];
const others: RoleName[] = ["developer", "viewer"];

/** What the groups may do and, longer, what they may not. */
export const canITable: readonly CanI[] = [
  // Everybody sees what there is.
  ...ask(all, "list", "pods", "*", true),
  ...ask(all, "watch", "deployments.apps", foreign, true),
  ...ask(all, "get", "nodes", "*", true),
  ...ask(all, "list", "events", own, true),
  ...ask(all, "list", "certificates.cert-manager.io", "*", true),
  ...ask(all, "get", "clusters.postgresql.cnpg.io", own, true),
  ...ask(all, "list", "networkpolicies.networking.k8s.io", "*", true),

  // Secrets are the administrators' alone.
  ...ask(["admin"], "get", "secrets", foreign, true),
  ...ask(others, "get", "secrets", own, false),
  ...ask(others, "list", "secrets", own, false),
  ...ask(others, "watch", "secrets", "*", false),
  ...ask(others, "create", "secrets", own, false),

  // So is the inside of pods.
  ...ask(["admin"], "create", "pods/exec", own, true),
  ...ask(others, "create", "pods/exec", own, false),
  ...ask(others, "create", "pods/attach", own, false),
  ...ask(others, "create", "pods/portforward", own, false),
  ...ask(all, "update", "pods/ephemeralcontainers", own, false),
  ...ask(all, "get", "pods/proxy", own, false),
  ...ask(all, "get", "services/proxy", own, false),

  // Developers keep what is theirs going, and nothing else.
  ...ask(["admin", "developer"], "get", "pods/log", own, true),
  ...ask(["developer"], "get", "pods/log", foreign, false),
  ...ask(["viewer"], "get", "pods/log", own, false),
  ...ask(["admin", "developer"], "delete", "pods", own, true),
  ...ask(["developer"], "delete", "pods", foreign, false),
  ...ask(["viewer"], "delete", "pods", own, false),
  ...ask(["developer"], "create", "pods/eviction", own, true),
  ...ask(["developer"], "patch", "deployments.apps/scale", own, true),
  ...ask(["developer"], "patch", "deployments.apps/scale", foreign, false),
  ...ask(["viewer"], "patch", "deployments.apps/scale", own, false),
  ...ask(["developer"], "delete", "jobs.batch", own, true),

  // Workloads and their surroundings come by the graph or by an administrator.
  ...ask(["admin"], "create", "deployments.apps", own, true),
  ...ask(others, "create", "deployments.apps", own, false),
  ...ask(others, "patch", "deployments.apps", own, false),
  ...ask(others, "create", "pods", own, false),
  ...ask(others, "create", "cronjobs.batch", own, false),
  ...ask(others, "patch", "configmaps", own, false),
  ...ask(others, "delete", "networkpolicies.networking.k8s.io", own, false),
  ...ask(others, "delete", "persistentvolumeclaims", own, false),
  ...ask(others, "delete", "clusters.postgresql.cnpg.io", own, false),
  ...ask(others, "patch", "resourcequotas", own, false),
  ...ask(["admin"], "patch", "nodes", "*", true),
  ...ask(others, "patch", "nodes", "*", false),
  ...ask(others, "delete", "namespaces", "*", false),

  // The ways from here to the whole cluster are closed to all of them.
  ...ask(all, "escalate", "clusterroles.rbac.authorization.k8s.io", "*", false),
  ...ask(all, "bind", "clusterroles.rbac.authorization.k8s.io", "*", false),
  ...ask(all, "impersonate", "users", "*", false),
  ...ask(all, "impersonate", "groups", "*", false),
  ...ask(all, "create", "rolebindings.rbac.authorization.k8s.io", own, false),
  ...ask(all, "create", "clusterrolebindings.rbac.authorization.k8s.io", "*", false),
  ...ask(all, "patch", "clusterroles.rbac.authorization.k8s.io", "*", false),
  ...ask(all, "create", "serviceaccounts/token", own, false),
  ...ask(all, "create", "certificatesigningrequests.certificates.k8s.io", "*", false),
  ...ask(all, "update", "certificatesigningrequests.certificates.k8s.io/approval", "*", false),
  ...ask(all, "create", "validatingwebhookconfigurations.admissionregistration.k8s.io", "*", false),
  ...ask(all, "delete", "validatingadmissionpolicies.admissionregistration.k8s.io", "*", false),
  ...ask(all, "create", "persistentvolumes", "*", false),
  ...ask(all, "get", "nodes/proxy", "*", false),
  ...ask(all, "create", "customresourcedefinitions.apiextensions.k8s.io", "*", false),
  ...ask(all, "*", "*.*", "*", false),
];

/** The question as a SubjectAccessReview of a member of the group who has no other rights. */
export function accessReview({ role, verb, resource, namespace }: CanI) {
  const [kind = "", subresource] = resource.split("/");
  const [name, ...group] = kind.split(".");
  return {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SubjectAccessReview",
    spec: {
      user: "someone",
      groups: [groupOf(role), "system:authenticated"],
      resourceAttributes: {
        verb,
        resource: name,
        group: group.join("."),
        ...(subresource === undefined ? {} : { subresource }),
        ...(namespace === "*" ? {} : { namespace }),
      },
    },
  };
}

/**
 * Asks the API server every question of the table, and gives the answers that are not as they should be, as sentences.
 *
 * @param review sends a SubjectAccessReview and gives the answer
 */
export async function wrongAnswers(
  review: (body: ReturnType<typeof accessReview>) => Promise<{ status?: { allowed?: boolean } }>,
  table: readonly CanI[] = canITable,
): Promise<string[]> {
  const wrong: string[] = [];
  for (const question of table) {
    const allowed = (await review(accessReview(question))).status?.allowed === true;
    if (allowed === question.allowed) continue;
    const { role, verb, resource, namespace } = question;
    const place = namespace === "*" ? "everywhere" : `in ${namespace}`;
    wrong.push(`${groupOf(role)} may ${allowed ? "" : "not "}${verb} ${resource} ${place}`);
  }
  return wrong;
}
