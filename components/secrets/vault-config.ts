/** Ports of every Vault server. */
export const vaultPorts = { api: 8200, cluster: 8201 } as const;

/** Port of the keeper's own answers: /healthz, /readyz and /status. */
export const keeperPort = 8300;

/** Folders and files in the pods; the keeper is told them by its arguments. */
export const vaultPaths = {
  config: "/etc/vault",
  certificate: "/etc/vault-tls",
  seal: "/etc/vault-seal",
  /** A volume of its own: what fills it must not stop Raft. */
  audit: "/vault/audit",
  data: "/vault/data",
  /** Below the volume, so that it can be set aside in one step. */
  store: "/vault/data/store",
  /** How often an initialisation was given up; see the keeper's README. */
  state: "/vault/state",
} as const;

/** The Secret in the primary's namespace that holds its seal stanza, made by the keeper of the bootstrap Vault. */
export const sealSecret = "vault-unseal";

/** Names in the cluster. */
export interface VaultNames {
  /** The StatefulSet; pods are `<set>-0` and so on. */
  set: string;
  /** The headless Service that names the pods. */
  peers: string;
  /** The Service that clients name. */
  service: string;
  namespace: string;
}

/** A server by its own name. */
export const nodeHost = (names: VaultNames, node: number | string): string =>
  `${names.set}-${node}.${names.peers}.${names.namespace}.svc`;

export const nodeAddress = (names: VaultNames, node: number): string =>
  `https://${nodeHost(names, node)}:${vaultPorts.api}`;

export const serviceAddress = (names: VaultNames): string =>
  `https://${names.service}.${names.namespace}.svc:${vaultPorts.api}`;

/** All names that a listener's certificate carries. */
export function listenerNames(names: VaultNames, replicas: number): string[] {
  const service = `${names.service}.${names.namespace}`;
  return [
    `${service}.svc`,
    `${service}.svc.cluster.local`,
    ...Array.from({ length: replicas }, (_, node) => nodeHost(names, node)),
  ];
}

/**
 * A server's configuration but for its seal and for what differs from pod to pod, which comes as environment variables.
 *
 * `disable_mlock`: Raft maps its file into memory, which mlock would pin there as a whole; Kubernetes nodes have no swap
 * that secrets could be written to. `performance_multiplier = 1` is upstream's advice for production, and a lone server
 * is its own leader after one second instead of five.
 */
export function planServerConfig(names: VaultNames, replicas: number): string {
  return `ui            = false
disable_mlock = true
log_format    = "json"
cluster_name  = "${names.set}"

listener "tcp" {
  address                  = "0.0.0.0:${vaultPorts.api}"
  cluster_address          = "0.0.0.0:${vaultPorts.cluster}"
  tls_cert_file            = "${vaultPaths.certificate}/tls.crt"
  tls_key_file             = "${vaultPaths.certificate}/tls.key"
  tls_min_version          = "tls12"
  tls_disable_client_certs = true
}

storage "raft" {
  path                   = "${vaultPaths.store}"
  performance_multiplier = 1
${replicas > 1 ? Array.from({ length: replicas }, (_, node) => retryJoin(names, node)).join("") : ""}}

telemetry {
  prometheus_retention_time = "1h"
  disable_hostname          = true
}
`;
}

function retryJoin(names: VaultNames, node: number): string {
  return `  retry_join {
    leader_api_addr       = "${nodeAddress(names, node)}"
    leader_tls_servername = "${nodeHost(names, node)}"
    leader_ca_cert_file   = "${vaultPaths.certificate}/ca.crt"
  }
`;
}

/** What differs from pod to pod; `$(POD_NAME)` is filled in by Kubernetes. */
export function planServerEnvironment(names: VaultNames): Record<string, string> {
  const host = nodeHost(names, "").replace(`${names.set}-`, "$(POD_NAME)");
  return {
    VAULT_RAFT_NODE_ID: "$(POD_NAME)",
    VAULT_API_ADDR: `https://${host}:${vaultPorts.api}`,
    VAULT_CLUSTER_ADDR: `https://${host}:${vaultPorts.cluster}`,
  };
}

/**
 * How the kubelet asks a server. A sealed or uninitialised one lives: a restart would not help it. It can not serve while
 * sealed; uninitialised it counts as ready, since the job that initialises it comes after the set.
 */
export const healthPaths = {
  live: "/v1/sys/health?standbyok=true&perfstandbyok=true&sealedcode=200&uninitcode=200",
  ready: "/v1/sys/health?standbyok=true&perfstandbyok=true&uninitcode=200",
} as const;
