import { groundwork, ResourceRule } from "../rule";

/** Helm installs what a Release describes: neither the rules nor a preview see its pods. */
export const noHelmRelease: ResourceRule = {
  id: "no-helm-release",
  title: "Charts are rendered into single resources",
  severity: "high",
  controls: [groundwork("Upstream manifests are checked, too")],
  remediation: "Render the chart from the artefact cache into resources of the graph.",
  scope: "resource",
  check: (resource, report) => {
    if (resource.type === "kubernetes:helm.sh/v3:Release") report(`helm release "${resource.name}" hides its objects`);
  },
};
