import { literal } from "./cel";
import { Exemption, inForce } from "./exemptions";

/** Kinds that make pods, with what stands between them and their pods. */
const makers: Readonly<Record<string, readonly string[]>> = {
  Deployment: ["ReplicaSet"],
  StatefulSet: [],
  DaemonSet: [],
  ReplicaSet: [],
  ReplicationController: [],
  CronJob: ["Job"],
  Job: [],
};

/** Kubernetes' own controllers, which make pods of templates that were judged before. */
const byController =
  "(request.userInfo.username.startsWith('system:serviceaccount:kube-system:') || " +
  "request.userInfo.username == 'system:kube-controller-manager')";

/** A pattern with `*` as a regular expression of CEL's. */
const pattern = (text: string): string => text.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replace(/\*/g, ".*");
const like = (value: string, text: string): string =>
  text.includes("*") ? `${value}.matches(${literal(`^${pattern(text)}$`)})` : `${value} == ${literal(text)}`;

/** Where one exemption holds, as CEL; undefined for what is no object of a cluster. */
function where({ resource, madeBy }: Exemption): string | undefined {
  if (resource.startsWith("urn:")) return undefined;
  const parts = resource.split("/");
  const [kind = "", namespace, name = ""] = parts.length === 2 ? [parts[0]!, undefined, parts[1]!] : parts;
  const here = namespace === undefined ? [] : [like("request.namespace", namespace)];
  const itself = `object.kind == ${literal(kind)} && ${like("object.metadata.name", name)}`;
  if (madeBy) {
    const labelled = `${literal(madeBy.label)} in object.metadata.?labels.orValue({})`;
    const maker = `request.userInfo.username == ${literal(madeBy.account)}`;
    return [...here, `(${itself} || ${labelled} && (${maker} || ${byController}))`].join(" && ");
  }
  const between = makers[kind];
  if (!between) return [...here, itself].join(" && ");
  // A name in between is the maker's with a suffix of the controller's: `api-7d9f8c6b5d`, `report-29113920`.
  const owned = [
    `o.kind == ${literal(kind)} && ${like("o.name", name)}`,
    ...between.map(
      (other) => `o.kind == ${literal(other)} && o.name.matches(${literal(`^${pattern(name)}-[a-z0-9]+$`)})`,
    ),
  ].join(" || ");
  const ownedBy = `object.metadata.?ownerReferences.orValue([]).exists(o, o.?controller.orValue(false) && (${owned}))`;
  return [...here, `(${itself} || ${byController} && ${ownedBy})`].join(" && ");
}

/**
 * CEL expressions that are true of what is exempted from a rule: the object itself, and what Kubernetes' controllers or the
 * operator that is named make of it. Exemptions that are not in force are left out, so that they end in the cluster, too.
 */
export const exemptedWhere = (rule: string, exemptions: readonly Exemption[], now: Date): string[] =>
  exemptions
    .filter((exemption) => exemption.rule === rule && inForce(exemption, now))
    .flatMap((exemption) => where(exemption) ?? []);
