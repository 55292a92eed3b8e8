import { describe, groupOf, Resource } from "../resource";
import { groundwork, kubernetes, ResourceRule } from "../rule";
import { list } from "../unknown";

/** Whether data is lost with a resource. */
function holdsData({ type, object, props }: Resource): boolean {
  if (type === "hcloud:index/volume:Volume") return true;
  if (object?.patch) return false;
  if (object?.kind === "PersistentVolumeClaim") return true;
  if (object?.kind === "StatefulSet") return list(props["spec"]?.volumeClaimTemplates).length > 0;
  return object?.kind === "Cluster" && groupOf(object) === "postgresql.cnpg.io";
}

/** The engine refuses to delete or replace what is protected, whatever the program says by mistake. */
export const protectedData: ResourceRule = {
  id: "protected-data",
  title: "In production everything that holds data is protected from deletion",
  severity: "high",
  controls: [groundwork("A destroy never deletes too much"), kubernetes("Persistent Volumes: Reclaiming")],
  remediation: "Pass protect: true, from the stack's own setting protect.",
  configSchema: { properties: { environment: { type: "string" } } },
  scope: "resource",
  check: (resource, report, config) => {
    if (config["environment"] !== "production" || resource.protect) return;
    if (holdsData(resource)) report(`${describe(resource)} holds data and is not protected`);
  },
};
