import { describe } from "../resource";
import { groundwork, ResourceRule } from "../rule";

/** Custom resources that make a controller install a chart: K3s's own, and Flux's. */
const installers = ["HelmChart", "HelmChartConfig", "HelmRelease"];

/** Helm installs what such a resource describes: neither the rules nor a preview see its pods. */
export const noHelmRelease: ResourceRule = {
  id: "no-helm-release",
  title: "Charts are rendered into single resources",
  severity: "high",
  controls: [groundwork("Upstream manifests are checked, too")],
  remediation: "Render the chart from the artefact cache into resources of the graph.",
  scope: "resource",
  check: (resource, report) => {
    const hides = resource.type === "kubernetes:helm.sh/v3:Release" || installers.includes(resource.object?.kind ?? "");
    if (hides) report(`${describe(resource)} hides the objects of its chart`);
  },
};
