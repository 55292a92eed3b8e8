export { baselineScript, HostBaseline } from "./baseline";
export { clusterNetworks } from "./firewall";
export type { Host, HostRole, SshConnection } from "./host";
export { makeHosts } from "./hosts";
export type { HostDeps } from "./hosts";
export { remoteScript, writeFiles } from "./remote-script";
export { targetSchema } from "./settings";
export type { TargetSettings } from "./settings";
