export { baselineScript, HostBaseline } from "./baseline";
export { clusterNetworks } from "./firewall";
export type { CloudAccess, Host, HostRole, SshConnection, Target } from "./host";
export { makeTarget, rehearseTarget } from "./hosts";
export type { HostDeps } from "./hosts";
export { connectionTo, remoteScript, writeFiles } from "./remote-script";
export { targetSchema } from "./settings";
export type { TargetSettings } from "./settings";
