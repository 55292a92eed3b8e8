export { ClusterBaseline } from "./cluster-baseline";
export { CrdBundle } from "./crd-bundle";
export { crdFile } from "./crd-file";
export { K3sCluster } from "./k3s-cluster";
export type { K3sClusterArgs } from "./k3s-cluster";
export { clusterSchema } from "./settings";
export type { ClusterSettings } from "./settings";
