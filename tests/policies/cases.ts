import { digest, SampleName } from "./sample";
import { TestResource } from "./engine-like";

/** One change of the sample and what the pack must say of it. */
export interface Case {
  rule: string;
  /** What is changed. */
  target: SampleName;
  /** Path of the changed field, with dots; `undefined` as the value removes it. */
  path: string;
  value: unknown;
  /** Found in the message. */
  says: RegExp;
  /** Rules that must refuse it, too. */
  also?: string[];
  /** Further changes, by path, without which no API server would take the object at all. */
  with?: Record<string, unknown>;
  /** The API server needs no policy: its own validation refuses the object. */
  invalid?: true;
  /** Nothing is left of it in a pod of its own: the API server fills it in, or pods have no such field. */
  templateOnly?: true;
}

/** One resource that is added to the sample, or taken away by name. */
export interface Addition {
  rule: string;
  add?: TestResource;
  remove?: SampleName;
  says: RegExp;
  also?: string[];
}

const pod = "spec.template.spec";
const first = `${pod}.containers.0`;
const jobPod = "spec.jobTemplate.spec.template.spec";

type More = Partial<Pick<Case, "also" | "with" | "invalid" | "templateOnly">>;

const on = (
  rule: string,
  target: SampleName,
  path: string,
  value: unknown,
  says: RegExp,
  more: More | string[] = {},
): Case => ({ rule, target, path, value, says, ...(Array.isArray(more) ? { also: more } : more) });
const deployment = (rule: string, path: string, value: unknown, says: RegExp, more?: More | string[]): Case =>
  on(rule, "deployment", path, value, says, more);

/** A firewall with one rule. */
const nft = (policy: string, rule: string): string =>
  `table inet x {\n  chain input {\n    type filter hook input priority 0; ${policy}\n    ${rule}\n  }\n}\n`;

/** What the API server wants of HostProcess pods. */
const windows: More = { also: ["no-host-namespaces"], with: { [`${pod}.hostNetwork`]: true } };

/** Changes that the pack must refuse; at least one for each rule, but for those in `additions`. */
export const cases: readonly Case[] = [
  deployment(
    "no-privileged-containers",
    `${first}.securityContext.privileged`,
    true,
    /^Container "api" of Deployment app\/api runs privileged\..*CIS Kubernetes 1\.11\.1 5\.2\.2/,
    {
      also: ["no-privilege-escalation"],
      with: { [`${first}.securityContext.allowPrivilegeEscalation`]: true },
    },
  ),
  on(
    "no-privileged-containers",
    "cronJob",
    `${jobPod}.containers.0.securityContext.privileged`,
    true,
    /of CronJob app\/report/,
    {
      also: ["no-privilege-escalation"],
      with: { [`${jobPod}.containers.0.securityContext.allowPrivilegeEscalation`]: true },
    },
  ),
  deployment(
    "no-privileged-containers",
    `${pod}.initContainers`,
    [
      {
        name: "init",
        image: `docker.io/library/api@${digest}`,
        resources: { requests: { cpu: "1", memory: "1Mi" }, limits: { cpu: "1", memory: "1Mi" } },
        securityContext: {
          privileged: true,
          allowPrivilegeEscalation: true,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        },
      },
    ],
    /^Init container "init"/,
    ["no-privilege-escalation"],
  ),
  deployment("no-host-namespaces", `${pod}.hostNetwork`, true, /^The pod of Deployment app\/api sets hostNetwork\./),
  deployment("no-host-namespaces", `${pod}.hostPID`, true, /hostPID/),
  deployment("no-host-namespaces", `${pod}.hostIPC`, true, /hostIPC/),
  deployment("no-host-process", `${pod}.securityContext.windowsOptions`, { hostProcess: true }, /hostProcess/, windows),
  deployment(
    "no-host-process",
    `${first}.securityContext.windowsOptions`,
    { hostProcess: true },
    /hostProcess/,
    windows,
  ),
  deployment(
    "allowed-volume-types",
    `${pod}.volumes.0`,
    { name: "root", hostPath: { path: "/" } },
    /volume "root" of type hostPath/,
  ),
  deployment(
    "allowed-volume-types",
    `${pod}.volumes.0`,
    { name: "nfs", nfs: { server: "nfs.example", path: "/" } },
    /of type nfs/,
  ),
  deployment("no-host-ports", `${first}.ports.0.hostPort`, 80, /opens host port 80/),
  deployment("no-privilege-escalation", `${first}.securityContext.allowPrivilegeEscalation`, undefined, /may escalate/),
  deployment("no-privilege-escalation", `${first}.securityContext.allowPrivilegeEscalation`, true, /may escalate/),
  deployment("drop-all-capabilities", `${first}.securityContext.capabilities`, undefined, /does not drop all/),
  deployment(
    "drop-all-capabilities",
    `${first}.securityContext.capabilities.add`,
    ["NET_ADMIN"],
    /adds the capability NET_ADMIN/,
  ),
  deployment("seccomp-profile", `${pod}.securityContext.seccompProfile`, undefined, /without a seccomp profile/),
  deployment(
    "seccomp-profile",
    `${first}.securityContext.seccompProfile`,
    { type: "Unconfined" },
    /profile Unconfined/,
  ),
  deployment("run-as-non-root", `${pod}.securityContext.runAsNonRoot`, undefined, /may run as root/),
  deployment("run-as-non-root", `${first}.securityContext.runAsUser`, 0, /runs as user 0/, ["high-user-ids"]),
  deployment("default-proc-mount", `${first}.securityContext.procMount`, "Unmasked", /as Unmasked/, {
    with: { [`${pod}.hostUsers`]: false },
  }),
  deployment(
    "safe-sysctls",
    `${pod}.securityContext.sysctls`,
    [{ name: "kernel.msgmax", value: "1" }],
    /sysctl kernel.msgmax/,
  ),
  deployment("selinux-options", `${first}.securityContext.seLinuxOptions`, { type: "spc_t" }, /SELinux type spc_t/),
  deployment("selinux-options", `${pod}.securityContext.seLinuxOptions`, { user: "system_u" }, /SELinux user/),
  deployment(
    "apparmor-profile",
    `${pod}.securityContext.appArmorProfile`,
    { type: "Unconfined" },
    /profile Unconfined/,
  ),
  deployment(
    "apparmor-profile",
    "spec.template.metadata.annotations",
    { "container.apparmor.security.beta.kubernetes.io/api": "unconfined" },
    /profile Unconfined/,
  ),
  deployment("no-host-probes", `${first}.livenessProbe.httpGet.host`, "169.254.169.254", /host in livenessProbe/),
  deployment(
    "no-host-probes",
    `${first}.lifecycle`,
    { preStop: { httpGet: { host: "example.org", port: 80 } } },
    /host in preStop/,
  ),
  deployment("high-user-ids", `${pod}.securityContext.runAsUser`, 1000, /runs as user 1000\b/),
  deployment("high-user-ids", `${pod}.securityContext.runAsUser`, 10000, /runs as user 10000\b/),
  deployment("high-user-ids", `${pod}.securityContext.runAsGroup`, undefined, /runs as group nothing/),
  deployment("high-user-ids", `${pod}.securityContext.fsGroup`, 0, /belongs to group 0/),
  deployment(
    "read-only-root-filesystem",
    `${first}.securityContext.readOnlyRootFilesystem`,
    false,
    /can write to its root/,
  ),
  deployment(
    "no-service-account-token",
    `${pod}.automountServiceAccountToken`,
    undefined,
    /mounts a service-account token/,
  ),
  deployment("resource-limits", `${first}.resources.limits.memory`, undefined, /sets no limits\.memory\./),
  deployment("resource-limits", `${first}.resources.requests`, undefined, /sets no requests\.cpu, requests\.memory\./, {
    templateOnly: true,
  }),
  deployment("probes", `${first}.livenessProbe`, undefined, /has no liveness probe/),
  deployment("probes", `${first}.readinessProbe`, undefined, /has no readiness probe/),
  deployment("priority-class", `${pod}.priorityClassName`, undefined, /has no priority class/),
  deployment("priority-class", `${pod}.priorityClassName`, "system-node-critical", /claims the priority class/),
  deployment("topology-spread", `${pod}.topologySpreadConstraints`, undefined, /runs 2 times/, { templateOnly: true }),
  deployment(
    "image-digests",
    `${first}.image`,
    "docker.io/library/api:latest",
    /"docker\.io\/library\/api:latest" without a digest/,
  ),
  deployment("image-digests", `${first}.image`, undefined, /image nothing/, { invalid: true }),
  deployment("allowed-registries", `${first}.image`, `evil.example/api@${digest}`, /evil\.example\/api/),
  deployment("allowed-registries", `${first}.image`, `someone/api@${digest}`, /docker\.io\/someone\/api/),
  deployment(
    "no-secret-env",
    `${first}.env.0`,
    { name: "X", valueFrom: { secretKeyRef: { name: "db", key: "password" } } },
    /variable X from a Secret/,
  ),
  deployment("no-secret-env", `${first}.envFrom`, [{ secretRef: { name: "db" } }], /all variables from the Secret db/),
  deployment(
    "no-secret-env",
    `${first}.env.0`,
    { name: "DB_PASSWORD", value: "hunter2" },
    /plain value of the variable DB_PASSWORD/,
  ),
  deployment(
    "no-secret-env",
    `${first}.env.0`,
    { name: "DATABASE", value: "postgres://app:hunter2@db/app" },
    /variable DATABASE/,
  ),
  deployment("no-command-line-secrets", `${first}.args.1`, "--password=hunter2", /has password on its command line/),
  deployment("no-command-line-secrets", `${first}.args`, ["--api-token", "abcdef"], /api-token/),
  deployment("no-default-namespace", "metadata.namespace", undefined, /names no namespace/, [
    "pod-disruption-budgets",
    "services-reached",
  ]),
  deployment("no-default-namespace", "metadata.namespace", "default", /default namespace/, [
    "pod-disruption-budgets",
    "services-reached",
  ]),
  on("no-secret-config-maps", "configMap", "data.DB_PASSWORD", "hunter2", /under the key "DB_PASSWORD"/),
  on("no-secret-config-maps", "configMap", "data.key", "-----BEGIN EC PRIVATE KEY-----\nx", /under the key "key"/),
  on("no-long-lived-tokens", "secret", "type", "kubernetes.io/service-account-token", /token without an end/, {
    with: { "metadata.annotations": { "kubernetes.io/service-account.name": "api" } },
  }),
  on("no-node-ports", "service", "spec.type", "NodePort", /of type NodePort/),
  on("no-node-ports", "service", "spec.ports.0.nodePort", 30080, /node port 30080/, { invalid: true }),
  on("no-external-ips", "service", "spec.externalIPs", ["10.0.0.1"], /externalIPs/),
  on("no-external-names", "service", "spec.type", "ExternalName", /ExternalName/, {
    with: { "spec.externalName": "example.org" },
  }),
  on("ingress-tls", "ingress", "spec.tls", undefined, /^Ingress app\/api has no TLS/),
  on("ingress-tls", "ingress", "spec.rules.0.host", "other.local", /serves other\.local without TLS/),
  on("no-open-network-policies", "openedPolicy", "spec.ingress", [{}], /ingress rule that allows everything/),
  on(
    "no-open-network-policies",
    "openedPolicy",
    "spec.egress",
    [{ to: [{ ipBlock: { cidr: "0.0.0.0/0" } }] }],
    /egress rule/,
  ),
  on(
    "pod-security-labels",
    "namespace",
    "metadata.labels",
    { "pod-security.kubernetes.io/enforce": "privileged" },
    /enforce to privileged/,
  ),
  on("no-cluster-admin", "binding", "roleRef.name", "cluster-admin", /binds the role cluster-admin/, ["no-orphans"]),
  on("no-cluster-admin", "binding", "subjects.0", { kind: "Group", name: "system:masters" }, /system:masters/),
  on("no-anonymous-bindings", "binding", "subjects.0", { kind: "User", name: "system:anonymous" }, /system:anonymous/),
  on("no-default-service-account", "binding", "subjects.0.name", "default", /default service account/),
  on("no-rbac-wildcards", "role", "rules.0.verbs", ["*"], /wildcard in verbs/),
  on("no-rbac-wildcards", "role", "rules.1.resources", ["*"], /wildcard in resources/),
  on(
    "no-rbac-exec",
    "role",
    "rules.0",
    { apiGroups: [""], resources: ["pods/exec"], verbs: ["create"] },
    /grants pods\/exec/,
  ),
  on("no-rbac-escalation", "role", "rules.0.verbs", ["impersonate"], /verb impersonate/),
  on("no-rbac-secrets", "role", "rules.0.resourceNames", undefined, /every Secret/),
  on("no-rbac-workload-creation", "role", "rules.1.verbs", ["create"], /may create pods/),
  on(
    "no-rbac-control-plane",
    "role",
    "rules.1",
    { apiGroups: [""], resources: ["serviceaccounts/token"], verbs: ["create"] },
    /serviceaccounts\/token/,
  ),
  on("namespace-network-policies", "networkPolicy", "spec.policyTypes", ["Ingress"], /no NetworkPolicy of type Egress/),
  on(
    "namespace-network-policies",
    "networkPolicy",
    "spec.podSelector",
    { matchLabels: { a: "b" } },
    /type Ingress that selects every pod/,
  ),
  on(
    "pod-disruption-budgets",
    "budget",
    "spec.minAvailable",
    2,
    /^PodDisruptionBudget app\/api lets no node be drained/,
  ),
  on("pod-disruption-budgets", "budget", "spec.minAvailable", 0, /keeps nothing alive/),
  on(
    "pod-disruption-budgets",
    "budget",
    "spec",
    { maxUnavailable: 0, selector: { matchLabels: { "app.kubernetes.io/name": "api" } } },
    /lets no node be drained with maxUnavailable/,
  ),
  on(
    "pod-disruption-budgets",
    "budget",
    "spec.selector.matchLabels",
    { other: "pods" },
    /^Deployment app\/api runs 2 times and has no PodDisruptionBudget/,
  ),
  on("load-balancer-ports", "edge", "spec.ports.1.port", 5432, /^Service app\/edge opens port 5432 to the world/),
  on("namespace-default-account", "defaultAccount", "automountServiceAccountToken", true, /of namespace "app" mounts/),
  on("namespace-default-account", "defaultAccount", "metadata.name", "other", /of namespace "app" mounts its token/),
  on("resource-quota-bounds", "quota", "spec.hard.requests.cpu", "4500m", /gives requests\.cpu 4500m, more than 4\./),
  on("resource-quota-bounds", "quota", "spec.hard.limits.memory", "20Gi", /limits\.memory 20Gi, more than 16Gi/),
  on("resource-quota-bounds", "quota", "spec.hard.limits.cpu", undefined, /bounds no limits\.cpu/),
  on("namespace-pod-security", "namespace", "metadata.labels", { a: "b" }, /has no label pod-security/),
  on("key-strength", "key", "ecdsaCurve", undefined, /makes a key of the curve P224/),
  on("key-strength", "key", "algorithm", "RSA", /RSA of 2048 bits/),
  on("key-strength", "certificate", "spec.privateKey", undefined, /^Certificate app\/api makes a key of RSA of 2048/),
  on("key-strength", "certificate", "spec.privateKey", { algorithm: "RSA", size: 2048 }, /RSA of 2048 bits/),
  on("certificate-lifetimes", "root", "validityPeriodHours", 175_200, /valid for 175200 hours, more than 87672/),
  on("certificate-lifetimes", "root", "isCaCertificate", undefined, /87600 hours, more than 2160/),
  on("certificate-lifetimes", "leaf", "validityPeriodHours", 8_760, /8760 hours, more than 2160/),
  on("certificate-lifetimes", "certificate", "spec.duration", "2161h", /^Certificate app\/api is valid for 2161 hours/),
  on("certificate-lifetimes", "certificate", "spec.duration", "9600h", /more than 9552/, {
    with: { "spec.issuerRef.name": "letsencrypt-prod" },
  }),
  on("certificate-lifetimes", "certificate", "spec.duration", "87673h", /more than 87672/, {
    with: { "spec.isCA": true },
  }),
  on(
    "no-password-logins",
    "baseline",
    "stdin",
    "PasswordAuthentication yes\n",
    /lets SSH ask for passwords in "stdin"/,
  ),
  on("no-password-logins", "baseline", "stdin", "  PermitRootLogin yes\n", /lets root log in/),
  on("no-password-logins", "baseline", "stdin", "put 644 '/etc/ssh/sshd_config.d/x' <<E\nE\n", /leaves passwords on/),
  on("no-password-logins", "baseline", "create", 'echo "root:$1" | chpasswd', /sets a user's password in "create"/),
  on("no-password-logins", "server", "userData", "#cloud-config\nssh_pwauth: yes\n", /switch SSH passwords on/),
  on("no-password-logins", "server", "userData", "users:\n- name: a\n  plain_text_passwd: b\n", /set a password/),
  on(
    "host-firewall-ports",
    "baseline",
    "stdin",
    nft("policy drop;", "tcp dport { 443, 6443 } accept"),
    /tcp port 6443 to/,
  ),
  on("host-firewall-ports", "baseline", "stdin", nft("policy drop;", "udp dport 1-65535 accept"), /udp port 1-65535/),
  on(
    "host-firewall-ports",
    "baseline",
    "stdin",
    nft("policy drop;", "ip saddr 0.0.0.0/0 accept"),
    /accepts everything/,
  ),
  on(
    "host-firewall-ports",
    "baseline",
    "stdin",
    nft("policy accept;", "iif lo accept"),
    /accepts what no rule is about/,
  ),
  on("cloud-firewall-ports", "firewall", "rules.0.port", "22", /opens tcp port 22 to the world/),
  on("cloud-firewall-ports", "firewall", "rules.0.port", "any", /opens tcp port any/),
  on("cloud-firewall-ports", "firewall", "rules.0.port", "440-443", /opens tcp port 440-443/),
  on("cloud-firewall-ports", "firewall", "rules.2.sourceIps", ["::/0"], /opens tcp port 22/),
  on("cloud-firewall-ports", "firewall", "rules.0.protocol", "gre", /opens gre port 443/),
  on("cloud-server-firewall", "server", "firewallIds", undefined, /"server-1" has no firewall/),
  on("cloud-server-keys", "server", "sshKeys", [], /has no SSH key/),
  on("cloud-delete-protection", "server", "rebuildProtection", undefined, /lacks rebuildProtection/),
  on(
    "monthly-cost-cap",
    "server",
    "backups",
    true,
    /costs EUR 14\.00 a month .*, 2\.00 more than its cap of 12; dearest: server-1/,
  ),
  on("monthly-cost-cap", "server", "serverType", "cx99", /Server-1: server cx99 in fsn1: the table of .* has no price/),
  on("monthly-cost-cap", "volume", "size", 20, /costs EUR 13\.00 a month/),
  on("cloud-delete-protection", "volume", "deleteProtection", false, /Volume "server-1-data" lacks deleteProtection/),
  on(
    "connections-authorised",
    "clientPolicy",
    "spec.egress.0.ports.0.port",
    3001,
    /^NetworkPolicy app\/report-to-api lets pods out to Deployment app\/api on port 3001, which does not let them in/,
  ),
  on(
    "connections-authorised",
    "openedPolicy",
    "spec.ingress.0.ports.0.port",
    3001,
    /^NetworkPolicy app\/api-from-edge lets CronJob app\/report in on port 3001, which is not let out/,
    ["services-reached"],
  ),
  on(
    "services-reached",
    "service",
    "spec.ports.0.targetPort",
    8080,
    /^Service app\/api is reached by nobody on port 80\./,
  ),
  on("services-reached", "service", "spec.selector", { a: "b" }, /^Service app\/api selects no pod of the stack/),
  on("no-orphans", "configMap", "metadata.name", "spare", /^ConfigMap app\/spare is used by nothing in the stack/),
  on("no-orphans", "secret", "metadata.name", "spare", /^Secret app\/spare is used by nothing/),
  on("no-orphans", "claim", "metadata.name", "spare", /^PersistentVolumeClaim app\/spare is used by nothing/),
  on("no-orphans", "binding", "roleRef.name", "other", /^Role app\/api is used by nothing/),
  on("webhook-safety", "webhook", "webhooks.0.failurePolicy", undefined, /"items\.api\.local" without a failurePolicy/),
  on("webhook-safety", "webhook", "webhooks.0.timeoutSeconds", 30, /with no timeout of 10 seconds or less/),
  on("webhook-safety", "webhook", "webhooks.0.timeoutSeconds", undefined, /with no timeout/),
  on("webhook-safety", "webhook", "webhooks.0.namespaceSelector", undefined, /built-in objects of kube-system, too/),
  on("ssh-keys-only", "command", "connection.password", "hunter2", /password in its connection/),
  on("ssh-keys-only", "command", "connection.privateKey", undefined, /no key in its connection/),
  on("no-host-command-secrets", "command", "create", "k3s server --token=hunter2", /has token in its script "create"/),
  on(
    "no-host-command-secrets",
    "command",
    "create",
    "cat > key <<E\n-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----\nE",
    /private key/,
  ),
];

const kubernetes = (type: string, name: string, props: Record<string, unknown>): TestResource => {
  const [, module, kind] = type.split(":") as [string, string, string];
  return { type, name, props: { apiVersion: module.replace("core/", ""), kind: kind.replace(/Patch$/, ""), ...props } };
};

const backedUp = { "groundwork/backup-of": "self", "groundwork/backup-retention": "7 copies" };

/** Resources that the pack must refuse, or miss. */
export const additions: readonly Addition[] = [
  {
    rule: "protected-data",
    add: kubernetes("kubernetes:core/v1:PersistentVolumeClaim", "data", {
      metadata: { name: "data", namespace: "app", annotations: backedUp },
    }),
    also: ["no-orphans"],
    says: /^PersistentVolumeClaim app\/data holds data and is not protected/,
  },
  {
    rule: "data-store-backups",
    add: {
      ...kubernetes("kubernetes:core/v1:PersistentVolumeClaim", "data", {
        metadata: { name: "data", namespace: "app" },
      }),
      protect: true,
    },
    also: ["no-orphans"],
    says: /^PersistentVolumeClaim app\/data has no backup/,
  },
  {
    rule: "no-empty-namespaces",
    add: kubernetes("kubernetes:core/v1:Namespace", "spare", {
      metadata: { name: "spare", labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
    }),
    also: [
      "namespace-default-account",
      "namespace-limit-range",
      "namespace-network-policies",
      "namespace-resource-quota",
    ],
    says: /^Namespace spare is empty/,
  },
  {
    rule: "namespace-network-policies",
    remove: "networkPolicy",
    says: /namespace "app" has no NetworkPolicy of type Ingress/i,
  },
  { rule: "namespace-limit-range", remove: "limitRange", says: /^Namespace "app" has no LimitRange/ },
  { rule: "namespace-resource-quota", remove: "quota", says: /^Namespace "app" has no ResourceQuota/ },
  {
    rule: "no-pod-patches",
    add: kubernetes("kubernetes:apps/v1:DeploymentPatch", "patch", { metadata: { name: "x", namespace: "app" } }),
    says: /^Deployment app\/x is a patch/,
  },
  {
    rule: "no-pod-patches",
    add: kubernetes("kubernetes:apps/v1:DeploymentPatch", "patch", {
      metadata: { name: "x", namespace: "app" },
      spec: { replicas: 2, template: { spec: { hostNetwork: true } } },
    }),
    says: /^Deployment app\/x is a patch/,
  },
  {
    rule: "explicit-provider",
    add: {
      ...kubernetes("kubernetes:core/v1:ConfigMap", "loose", { metadata: { name: "x", namespace: "app" } }),
      provider: "urn:pulumi:test::groundwork::pulumi:providers:kubernetes::default_4_34_2",
    },
    also: ["no-orphans"],
    says: /^ConfigMap app\/x uses the default provider/,
  },
  {
    rule: "explicit-provider",
    add: {
      ...kubernetes("kubernetes:core/v1:ConfigMap", "loose", { metadata: { name: "x", namespace: "app" } }),
      provider: null,
    },
    also: ["no-orphans"],
    says: /^ConfigMap app\/x has no provider/,
  },
  {
    rule: "no-helm-release",
    add: { type: "kubernetes:helm.sh/v3:Release", name: "redis", props: { chart: "redis" } },
    says: /^Kubernetes:helm\.sh\/v3:Release "redis" hides the objects/,
  },
  {
    rule: "no-helm-release",
    add: kubernetes("kubernetes:helm.cattle.io/v1:HelmChart", "chart", {
      metadata: { name: "redis", namespace: "app" },
    }),
    says: /^HelmChart app\/redis hides the objects of its chart/,
  },
  {
    rule: "ingress-tls",
    add: kubernetes("kubernetes:traefik.io/v1alpha1:IngressRoute", "route", {
      metadata: { name: "web", namespace: "app" },
      spec: { entryPoints: ["web"], routes: [] },
    }),
    says: /^IngressRoute app\/web has no TLS/,
  },
  {
    rule: "ingress-tls",
    add: kubernetes("kubernetes:gateway.networking.k8s.io/v1:Gateway", "gateway", {
      metadata: { name: "edge", namespace: "app" },
      spec: { listeners: [{ name: "http", protocol: "HTTP", port: 80 }] },
    }),
    says: /listener "http" with the protocol HTTP/,
  },
];
