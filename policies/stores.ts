import { podsOf } from "./pods";
import { groupOf, Resource } from "./resource";
import { entries, hasUnknown, isAbsent, isUnknown, list } from "./unknown";

/** Says what a CronJob backs up, as `StatefulSet/name`; on the store itself `self`, where it makes its own. */
export const backupOf = "groundwork/backup-of";
/** How long backups are kept: `30d`, `48h`, or `7 copies`. */
export const backupRetention = "groundwork/backup-retention";

const annotation = ({ props }: Resource, name: string): unknown => {
  const annotations = props["metadata"]?.annotations;
  if (isUnknown(annotations)) return annotations;
  return entries<unknown>(annotations).find(([key]) => key === name)?.[1];
};
const isCluster = ({ object }: Resource): boolean =>
  object?.kind === "Cluster" && groupOf(object) === "postgresql.cnpg.io";

/** Everything in which data is kept that exists nowhere else: databases, sets of pods with volumes, single volumes. */
export const isStore = (resource: Resource): boolean => {
  const { object, props } = resource;
  if (!object || object.patch) return false;
  if (object.kind === "StatefulSet") return list(props["spec"]?.volumeClaimTemplates).length > 0;
  return object.kind === "PersistentVolumeClaim" || isCluster(resource);
};

/** Whether a claim is where a backup is written to, and so no store itself. */
export const isBackupTarget = (claim: Resource, resources: readonly Resource[]): boolean =>
  claim.object?.kind === "PersistentVolumeClaim" &&
  resources.some(
    (maker) =>
      maker.object?.kind === "CronJob" &&
      maker.object.namespace === claim.object?.namespace &&
      !isAbsent(annotation(maker, backupOf)) &&
      podsOf(maker).some(({ spec }) =>
        list(spec.volumes).some((volume) => volume["persistentVolumeClaim"]?.claimName === claim.object?.name),
      ),
  );

/** What is wrong with a store's backups; nothing where there are some, with an end. */
export function backupFlaw(store: Resource, resources: readonly Resource[]): string | undefined {
  return isCluster(store) ? clusterFlaw(store, resources) : annotatedFlaw(store, resources);
}

function clusterFlaw(store: Resource, resources: readonly Resource[]): string | undefined {
  const spec = store.props["spec"];
  if (isUnknown(spec) || hasUnknown(spec?.backup) || hasUnknown(spec?.plugins)) return undefined;
  const { name, namespace } = store.object!;
  const scheduled = resources.some(
    ({ object, props }) =>
      object?.kind === "ScheduledBackup" &&
      object.namespace === namespace &&
      (isUnknown(props["spec"]) || isUnknown(props["spec"]?.cluster) || props["spec"]?.cluster?.name === name),
  );
  if (!scheduled) return "has no ScheduledBackup";
  // The plugin keeps its retention in an ObjectStore, which the Cluster names as a parameter.
  const objectStores = list<any>(spec?.plugins).map((plugin) => plugin?.parameters?.barmanObjectName);
  const retention = [
    spec?.backup?.retentionPolicy,
    ...resources
      .filter(({ object }) => object?.kind === "ObjectStore" && object.namespace === namespace)
      .filter(({ object }) => objectStores.includes(object!.name))
      .map(({ props }) => props["spec"]?.retentionPolicy),
  ];
  return retention.some((one) => !isAbsent(one)) ? undefined : "has backups without a retentionPolicy";
}

function annotatedFlaw(store: Resource, resources: readonly Resource[]): string | undefined {
  const { kind, name, namespace } = store.object!;
  const own = annotation(store, backupOf);
  const makers = resources.filter(
    (other) =>
      other.object?.kind === "CronJob" &&
      other.object.namespace === namespace &&
      [annotation(other, backupOf)].some((what) => isUnknown(what) || what === `${kind}/${name}`),
  );
  const found = own === "self" || isUnknown(own) ? [store, ...makers] : makers;
  if (found.length === 0) return "has no backup";
  const kept = found.map((maker) => annotation(maker, backupRetention));
  return kept.some((one) => isUnknown(one) || /^\d+(h|d| copies)$/.test(String(one)))
    ? undefined
    : "has backups without a retention";
}
