export { canINamespaces, canITable, wrongAnswers } from "./can-i";
export type { CanI } from "./can-i";
export { ClusterAccess } from "./cluster-access";
export type { ClusterAccessArgs } from "./cluster-access";
export { planAccess } from "./plan";
export { clusterRole, groupOf, roleNames } from "./roles";
export type { RoleName } from "./roles";
export { accessSchema } from "./settings";
export type { AccessSettings } from "./settings";
