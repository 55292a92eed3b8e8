import { TestResource } from "./engine-like";

/** Digest of a fixture's image. */
export const digest = `sha256:${"0123456789abcdef".repeat(4)}`;

/** A container that no rule has anything to say about. */
const container = () => ({
  name: "api",
  image: `docker.io/library/api:1.0.0@${digest}`,
  command: ["/app/api"],
  args: ["--config=/etc/api/config.json", "--password-file=/etc/db/password"],
  env: [{ name: "LOG_LEVEL", value: "info" }],
  ports: [{ name: "http", containerPort: 3000 }],
  resources: { requests: { cpu: "50m", memory: "64Mi" }, limits: { cpu: "500m", memory: "128Mi" } },
  livenessProbe: { httpGet: { path: "/healthz", port: 3000 } },
  readinessProbe: { httpGet: { path: "/readyz", port: 3000 } },
  securityContext: {
    allowPrivilegeEscalation: false,
    privileged: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
  },
});

const podSpec = () => ({
  automountServiceAccountToken: false,
  priorityClassName: "groundwork-application",
  topologySpreadConstraints: [
    { maxSkew: 1, topologyKey: "kubernetes.io/hostname", whenUnsatisfiable: "ScheduleAnyway" },
  ],
  securityContext: {
    runAsNonRoot: true,
    runAsUser: 10001,
    runAsGroup: 10001,
    fsGroup: 10001,
    seccompProfile: { type: "RuntimeDefault" },
  },
  containers: [container()],
  volumes: [
    { name: "tmp", emptyDir: {} },
    { name: "db", secret: { secretName: "db" } },
    { name: "config", configMap: { name: "api" } },
  ],
});

/** What a machine's first script writes: its SSH server's settings and its firewall. */
const baselineScript = `put 644 '/etc/ssh/sshd_config.d/10-groundwork.conf' <<'END'
PasswordAuthentication no
PermitRootLogin prohibit-password
END
put 644 '/etc/groundwork/firewall.nft' <<'END'
table inet groundwork {
  chain input {
    type filter hook input priority filter; policy drop;
    ct state vmap { established : accept, related : accept, invalid : drop }
    iif lo accept
    meta l4proto { icmp, ipv6-icmp } accept
    tcp dport { 80, 443 } accept
    udp dport 51820 accept
    ip saddr { 10.41.0.0/24 } tcp dport { 22, 6443 } accept
  }
}
END
`;

const labels = { "app.kubernetes.io/name": "api" };
const clientLabels = { "app.kubernetes.io/name": "report" };

/** A job that asks the API and keeps what it says. */
const clientTemplate = () => {
  const spec = podSpec();
  const volumes = [...spec.volumes, { name: "reports", persistentVolumeClaim: { claimName: "reports" } }];
  return { metadata: { labels: clientLabels }, spec: { ...spec, volumes, restartPolicy: "Never" } };
};

/** A resource of the sample by its name in the tests. */
export type SampleName = keyof ReturnType<typeof sample>;

/** A small platform that the whole pack accepts, made anew at each call so that a test may change it. */
export function sample() {
  const object = (type: string, name: string, props: Record<string, unknown>): TestResource => {
    const [, module, kind] = type.split(":") as [string, string, string];
    return { type, name, props: { apiVersion: module.replace("core/", ""), kind, ...props } };
  };
  const inApp = (name: string) => ({ name, namespace: "app" });
  return {
    namespace: object("kubernetes:core/v1:Namespace", "app-namespace", {
      metadata: { name: "app", labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
    }),
    networkPolicy: object("kubernetes:networking.k8s.io/v1:NetworkPolicy", "app-deny", {
      metadata: inApp("default-deny"),
      spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] },
    }),
    openedPolicy: object("kubernetes:networking.k8s.io/v1:NetworkPolicy", "api-policy", {
      metadata: inApp("api-from-edge"),
      spec: {
        podSelector: { matchLabels: labels },
        policyTypes: ["Ingress", "Egress"],
        ingress: [{ from: [{ podSelector: { matchLabels: clientLabels } }], ports: [{ port: 3000 }] }],
        egress: [{ to: [{ ipBlock: { cidr: "10.41.0.10/32" } }], ports: [{ port: 6443 }] }],
      },
    }),
    clientPolicy: object("kubernetes:networking.k8s.io/v1:NetworkPolicy", "report-policy", {
      metadata: inApp("report-to-api"),
      spec: {
        podSelector: { matchLabels: clientLabels },
        policyTypes: ["Egress"],
        egress: [{ to: [{ podSelector: { matchLabels: labels } }], ports: [{ port: 3000 }] }],
      },
    }),
    limitRange: object("kubernetes:core/v1:LimitRange", "app-limits", {
      metadata: inApp("limits"),
      spec: { limits: [{ type: "Container", default: { cpu: "1", memory: "128Mi" } }] },
    }),
    quota: object("kubernetes:core/v1:ResourceQuota", "app-quota", {
      metadata: inApp("quota"),
      spec: {
        hard: {
          pods: "10",
          "requests.cpu": "4",
          "requests.memory": "4Gi",
          "limits.cpu": "7500m",
          "limits.memory": "16Gi",
        },
      },
    }),
    defaultAccount: object("kubernetes:core/v1:ServiceAccountPatch", "app-default-account", {
      kind: "ServiceAccount",
      metadata: inApp("default"),
      automountServiceAccountToken: false,
    }),
    edge: object("kubernetes:core/v1:Service", "edge", {
      metadata: inApp("edge"),
      spec: {
        type: "LoadBalancer",
        selector: labels,
        ports: [
          { name: "https", port: 443, targetPort: 3000 },
          { name: "http", port: 80, targetPort: 3000 },
        ],
      },
    }),
    deployment: object("kubernetes:apps/v1:Deployment", "api", {
      metadata: inApp("api"),
      spec: { replicas: 2, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: podSpec() } },
    }),
    cronJob: object("kubernetes:batch/v1:CronJob", "report", {
      metadata: inApp("report"),
      spec: { schedule: "0 3 * * *", jobTemplate: { spec: { template: clientTemplate() } } },
    }),
    claim: {
      ...object("kubernetes:core/v1:PersistentVolumeClaim", "reports", {
        metadata: {
          ...inApp("reports"),
          annotations: { "groundwork/backup-of": "self", "groundwork/backup-retention": "30d" },
        },
        spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
      }),
      protect: true,
    },
    webhook: object("kubernetes:admissionregistration.k8s.io/v1:ValidatingWebhookConfiguration", "api-webhook", {
      metadata: { name: "api" },
      webhooks: [
        {
          name: "items.api.local",
          admissionReviewVersions: ["v1"],
          sideEffects: "None",
          failurePolicy: "Fail",
          timeoutSeconds: 10,
          clientConfig: { service: { name: "api", namespace: "app" } },
          namespaceSelector: {
            matchExpressions: [{ key: "kubernetes.io/metadata.name", operator: "NotIn", values: ["kube-system"] }],
          },
          rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] }],
        },
      ],
    }),
    budget: object("kubernetes:policy/v1:PodDisruptionBudget", "api-budget", {
      metadata: inApp("api"),
      spec: { minAvailable: 1, selector: { matchLabels: labels } },
    }),
    service: object("kubernetes:core/v1:Service", "api-service", {
      metadata: inApp("api"),
      spec: { type: "ClusterIP", selector: labels, ports: [{ port: 80, targetPort: 3000 }] },
    }),
    ingress: object("kubernetes:networking.k8s.io/v1:Ingress", "api-ingress", {
      metadata: inApp("api"),
      spec: { rules: [{ host: "api.local" }], tls: [{ hosts: ["api.local"], secretName: "api-tls" }] },
    }),
    configMap: object("kubernetes:core/v1:ConfigMap", "api-config", {
      metadata: inApp("api"),
      data: {
        "config.json": '{"database":{"passwordFile":"/etc/db/password"}}',
        DATABASE_PASSWORD_FILE: "/etc/db/password",
      },
    }),
    secret: object("kubernetes:core/v1:Secret", "db", { metadata: inApp("db"), stringData: { password: "hidden" } }),
    role: object("kubernetes:rbac.authorization.k8s.io/v1:Role", "api-role", {
      metadata: inApp("api"),
      rules: [
        { apiGroups: [""], resources: ["secrets"], resourceNames: ["db"], verbs: ["get"] },
        { apiGroups: [""], resources: ["pods"], verbs: ["get", "list"] },
      ],
    }),
    binding: object("kubernetes:rbac.authorization.k8s.io/v1:RoleBinding", "api-binding", {
      metadata: inApp("api"),
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "api" },
      subjects: [{ kind: "ServiceAccount", name: "api", namespace: "app" }],
    }),
    command: {
      type: "command:remote:Command",
      name: "server-install",
      props: {
        connection: { host: "10.41.0.10", user: "root", privateKey: "held by the engine" },
        create: "systemctl start k3s --token-file=/etc/rancher/k3s/token",
        environment: { STEP: "install" },
      },
    } as TestResource,
    baseline: {
      type: "command:remote:Command",
      name: "server-baseline",
      props: {
        connection: { host: "10.41.0.10", user: "root", privateKey: "held by the engine" },
        create: "bash -s apply",
        stdin: baselineScript,
      },
    } as TestResource,
    key: { type: "tls:index/privateKey:PrivateKey", name: "ca-key", props: { algorithm: "ECDSA", ecdsaCurve: "P384" } },
    root: {
      type: "tls:index/selfSignedCert:SelfSignedCert",
      name: "ca-root",
      props: { isCaCertificate: true, validityPeriodHours: 87_600 },
    } as TestResource,
    leaf: {
      type: "tls:index/locallySignedCert:LocallySignedCert",
      name: "api-certificate",
      props: { validityPeriodHours: 2_160 },
    } as TestResource,
    certificate: object("kubernetes:cert-manager.io/v1:Certificate", "api-certificate", {
      metadata: inApp("api"),
      spec: {
        secretName: "api-tls",
        duration: "2160h0m0s",
        issuerRef: { kind: "ClusterIssuer", name: "vault" },
        privateKey: { algorithm: "ECDSA", size: 256 },
      },
    }),
    server: {
      type: "hcloud:index/server:Server",
      name: "server-1",
      props: {
        serverType: "cx23",
        location: "fsn1",
        sshKeys: ["operator"],
        firewallIds: [1],
        deleteProtection: true,
        rebuildProtection: true,
        userData: "#cloud-config\nssh_pwauth: false\ndisable_root: false\n",
      },
    } as TestResource,
    volume: {
      type: "hcloud:index/volume:Volume",
      name: "server-1-data",
      props: { size: 10, deleteProtection: true },
      protect: true,
    } as TestResource,
    firewall: {
      type: "hcloud:index/firewall:Firewall",
      name: "machines",
      props: {
        rules: [
          { direction: "in", protocol: "tcp", port: "443", sourceIps: ["0.0.0.0/0", "::/0"] },
          { direction: "in", protocol: "udp", port: "51820", sourceIps: ["0.0.0.0/0", "::/0"] },
          { direction: "in", protocol: "tcp", port: "22", sourceIps: ["203.0.113.0/24"] },
          { direction: "in", protocol: "icmp", sourceIps: ["0.0.0.0/0"] },
          { direction: "out", protocol: "tcp", port: "any", destinationIps: ["0.0.0.0/0"] },
        ],
      },
    } as TestResource,
    component: {
      type: "groundwork:workload:PlatformNamespace",
      name: "app",
      props: {},
    } as TestResource,
  };
}
