import { stringify } from "yaml";
import type { ClusterSettings } from "./settings";

/** Where K3s looks, as docs.k3s.io/installation/configuration and docs.k3s.io/security/hardening-guide name it. */
export const paths = {
  binary: "/usr/local/bin/k3s",
  config: "/etc/rancher/k3s/config.yaml",
  /** Read after the main file; a key with a trailing `+` adds to a list there. */
  cgroupV1: "/etc/rancher/k3s/config.yaml.d/10-cgroup-v1.yaml",
  /** What the machine decides itself: whether it begins the cluster, and else where it joins. */
  join: "/etc/rancher/k3s/config.yaml.d/20-join.yaml",
  kubeconfig: "/etc/rancher/k3s/k3s.yaml",
  token: "/etc/rancher/k3s/token",
  agentToken: "/etc/rancher/k3s/agent-token",
  data: "/var/lib/rancher/k3s",
  images: "/var/lib/rancher/k3s/agent/images",
  logs: "/var/lib/rancher/k3s/server/logs",
  admission: "/var/lib/rancher/k3s/server/psa.yaml",
  audit: "/var/lib/rancher/k3s/server/audit.yaml",
} as const;

/** A node as the planners see it. */
export interface NodePlan {
  name: string;
  address: string;
  role: "server" | "agent";
  /** The machine has no say over connection tracking: a container. */
  sharesKernel: boolean;
  /** Behind a router from the other machines. @default false */
  routed?: boolean;
  /** Labels of the Node besides Kubernetes's own; keys that a kubelet may set itself. @default none */
  labels?: Record<string, string>;
}

/** The cluster as the planners see it. */
export interface ClusterPlan extends ClusterSettings {
  /** The servers; where there is no cluster yet, the first one begins it. Agents may stand behind them. */
  nodes: NodePlan[];
  /** Number of all nodes, agents included. @default as many as `nodes` */
  size?: number;
  /** Where a balancer stands before the API servers: its address for people, and the one for nodes. */
  api?: { address: string; inside: string };
  /** A cloud's own controller initialises the nodes. @default K3s's own does */
  cloud?: "external";
  /** Namespaces that Pod Security leaves alone besides kube-system. */
  unrestricted: string[];
}

/** The API server of the cluster as people reach it: at its balancer, or at its first server. */
export const apiServer = (plan: ClusterPlan): string => `https://${plan.api?.address ?? plan.nodes[0]!.address}:6443`;

/**
 * Where a node may join, in the order in which it asks. Agents stay with that address (docs.k3s.io/architecture, fixed
 * registration address). A server needs it once: it asks the others first, since a balancer takes a while to notice them.
 */
export function joinAddresses(plan: ClusterPlan, node: NodePlan): string[] {
  const servers = plan.nodes.filter(({ role, name }) => role === "server" && name !== node.name);
  const direct = servers.map(({ address }) => address);
  if (!plan.api) return direct;
  return node.role === "server" ? [...direct, plan.api.inside] : [plan.api.inside];
}

/** Suites that the hardening guide lists for the kubelet; all are ECDHE with an AEAD cipher. */
const cipherSuites = [
  "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305",
  "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305",
];

/** Keys of every node: docs.k3s.io/cli/agent for their names, docs.k3s.io/security/hardening-guide for the values. */
function nodeConfig(plan: ClusterPlan, node: NodePlan): Record<string, unknown> {
  return {
    "node-name": node.name,
    "node-ip": node.address,
    // Taken when the node registers: docs.k3s.io/cli/agent.
    ...(Object.keys(node.labels ?? {}).length > 0
      ? { "node-label": Object.entries(node.labels!).map(([key, value]) => `${key}=${value}`) }
      : {}),
    // CIS 4.2.6: the kubelet refuses to start on a kernel that is not set up as the baseline does it.
    "protect-kernel-defaults": true,
    "kubelet-arg": [
      "read-only-port=0", // CIS 4.2.4: it answers without a login, and where K3s's own files leave it out, it is open
      "streaming-connection-idle-timeout=5m", // CIS 4.2.5
      `tls-cipher-suites=${cipherSuites.join(",")}`, // CIS 4.2.12
      `pod-max-pids=${plan.podMaxPids}`, // CIS 4.2.13
      // Images come from archives and can't be pulled again: never collect them for room.
      "image-gc-high-threshold=100",
      // Four times as often as upstream, so that a lost node is told from a slow one in less than half a minute, see `lostNodes`.
      "node-status-update-frequency=4s",
      // docs.k3s.io/networking/networking-services, deploying an external cloud controller manager.
      ...(plan.cloud === "external" ? ["cloud-provider=external"] : []),
    ],
    // The kernel's limit of tracked connections is read-only in a container (kube-proxy would fail to raise it).
    ...(node.sharesKernel ? { "kube-proxy-arg": ["conntrack-max-per-core=0", "conntrack-min=0"] } : {}),
  };
}

/** Keys of a server: docs.k3s.io/cli/server for their names, the hardening guide for the values. */
function serverConfig(plan: ClusterPlan, node: NodePlan): Record<string, unknown> {
  const { apiServer, controllers } = lostNodes(plan);
  return {
    "token-file": paths.token,
    "agent-token-file": paths.agentToken,
    // Its own address, and those of the balancer: a server that comes or goes changes nothing on the others.
    "tls-san": [...new Set([node.address, ...(plan.api ? [plan.api.address, plan.api.inside] : [])])],
    ...(plan.cloud === "external" ? { "disable-cloud-controller": true } : {}),
    "write-kubeconfig-mode": "0600",
    // The way in is the platform's own Traefik, from the catalogue and under its policies.
    disable: ["traefik"],
    // Machines on one computer share a bridge: routes do, without a tunnel (docs.k3s.io/networking/basic-network-options).
    "flannel-backend": plan.nodes.every(({ sharesKernel, routed }) => sharesKernel && !routed) ? "host-gw" : "vxlan",
    "secrets-encryption": true, // CIS 1.2.27
    "secrets-encryption-provider": "secretbox", // CIS 1.2.28 accepts aescbc, kms and secretbox
    "etcd-snapshot-schedule-cron": plan.snapshots.schedule,
    "etcd-snapshot-retention": plan.snapshots.retention,
    "kube-apiserver-arg": [
      // CIS 1.2.9, 1.2.16; 1.2.3 (DenyServiceExternalIPs). Not 1.2.11, AlwaysPullImages: images are imported, and can't be pulled.
      "enable-admission-plugins=NodeRestriction,EventRateLimit,DenyServiceExternalIPs",
      `admission-control-config-file=${paths.admission}`, // CIS 5.2
      `audit-log-path=${paths.logs}/audit.log`, // CIS 1.2.17
      `audit-policy-file=${paths.audit}`, // CIS 3.2.1
      "audit-log-maxage=30", // CIS 1.2.18, days
      "audit-log-maxbackup=10", // CIS 1.2.19
      "audit-log-maxsize=100", // CIS 1.2.20, MiB
      "request-timeout=300s", // CIS 1.2.21
      "service-account-extend-token-expiration=false", // CIS 1.2.30
      ...apiServer,
    ],
    "kube-controller-manager-arg": ["terminated-pod-gc-threshold=100", ...controllers], // CIS 1.3.1
  };
}

/**
 * Where there are several servers, the loss of a machine is to be survived: a node that has said nothing for four of its turns is
 * lost, its pods get no more requests, databases choose another primary, and half a minute later what can runs elsewhere.
 * Upstream's 50 seconds and 5 minutes are made for thousands of nodes (kubernetes.io/docs/concepts/architecture/nodes, node
 * controller). With one server nothing could be done about it but wait.
 */
function lostNodes({ nodes }: ClusterPlan): { apiServer: string[]; controllers: string[] } {
  if (nodes.filter(({ role }) => role === "server").length < 2) return { apiServer: [], controllers: [] };
  return {
    apiServer: ["default-not-ready-toleration-seconds=30", "default-unreachable-toleration-seconds=30"],
    controllers: ["node-monitor-period=2s", "node-monitor-grace-period=16s"],
  };
}

/** /etc/rancher/k3s/config.yaml of a node, as a plain object. No value in it is secret: tokens are named by their files. */
export function planConfig(plan: ClusterPlan, node: NodePlan): Record<string, unknown> {
  if (node.role === "server") return { ...serverConfig(plan, node), ...nodeConfig(plan, node) };
  return { "token-file": paths.token, ...nodeConfig(plan, node) };
}

/** Kubelets from 1.35 on refuse cgroup v1 unless told otherwise (kubernetes/kubernetes#134298). */
export const cgroupV1Config = stringify({ "kubelet-arg+": ["fail-cgroupv1=false"] });

/** Admission: Pod Security "restricted" everywhere but in the system's own namespace, and the bound on events. */
export function admissionConfig(plan: ClusterPlan): string {
  return stringify({
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "AdmissionConfiguration",
    plugins: [
      {
        name: "PodSecurity",
        configuration: {
          apiVersion: "pod-security.admission.config.k8s.io/v1",
          kind: "PodSecurityConfiguration",
          defaults: Object.fromEntries(
            ["enforce", "audit", "warn"].flatMap((mode) => [
              [mode, "restricted"],
              [`${mode}-version`, "latest"],
            ]),
          ),
          exemptions: { usernames: [], runtimeClasses: [], namespaces: ["kube-system", ...plan.unrestricted] },
        },
      },
      {
        name: "EventRateLimit",
        configuration: {
          apiVersion: "eventratelimit.admission.k8s.io/v1alpha1",
          kind: "Configuration",
          limits: [{ type: "Server", ...plan.eventRateLimit }],
        },
      },
    ],
  });
}

/**
 * Audit (CIS 3.2.1, 3.2.2): who did what to which object. Bodies are kept of changes of rights only, where no secret stands;
 * of everything else they are not, since those of Secrets, tokens and ConfigMaps would put secrets into a log.
 */
export const auditPolicy = stringify({
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  // The first stage of a request says nothing that its last one does not.
  omitStages: ["RequestReceived"],
  rules: [
    // Probes and the heartbeat of nodes and controllers, several a second, which nobody will ever ask about.
    { level: "None", nonResourceURLs: ["/healthz*", "/livez*", "/readyz*"] },
    {
      level: "None",
      userGroups: ["system:nodes", "system:serviceaccounts:kube-system"],
      resources: [{ group: "coordination.k8s.io", resources: ["leases"] }],
    },
    {
      level: "RequestResponse",
      verbs: ["create", "update", "patch", "delete", "deletecollection"],
      resources: [{ group: "rbac.authorization.k8s.io" }],
    },
    { level: "Metadata" },
  ],
});
