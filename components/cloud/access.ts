import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import type { CloudAccess } from "../host";
import { bindCluster, Client, PlatformNamespace } from "../workload";

type Rule = k8s.types.input.rbac.v1.PolicyRule;

const events: Rule = { apiGroups: [""], resources: ["events"], verbs: ["create", "patch", "update"] };
const read = ["get", "list", "watch"];
const change = [...read, "update", "patch"];

/**
 * What the node controllers need: upstream's role without what only load balancers, leader election and the look-up of the API
 * server's own authorities take.
 */
export const nodeRules: Rule[] = [
  { apiGroups: [""], resources: ["nodes"], verbs: [...change, "delete"] },
  { apiGroups: [""], resources: ["nodes/status"], verbs: ["patch"] },
  events,
];

/** What provisioner, attacher and resizer need of the cluster: upstream's role without snapshots and leader election. */
export const volumeRules: Rule[] = [
  { apiGroups: [""], resources: ["persistentvolumes"], verbs: [...change, "create", "delete"] },
  { apiGroups: [""], resources: ["persistentvolumeclaims"], verbs: change },
  { apiGroups: [""], resources: ["persistentvolumeclaims/status"], verbs: ["update", "patch"] },
  // The resizer asks which pods use a claim before it reports that the file system waits for them.
  { apiGroups: [""], resources: ["pods", "nodes"], verbs: read },
  {
    apiGroups: ["storage.k8s.io"],
    resources: ["storageclasses", "csinodes", "volumeattributesclasses"],
    verbs: read,
  },
  { apiGroups: ["storage.k8s.io"], resources: ["volumeattachments"], verbs: change },
  { apiGroups: ["storage.k8s.io"], resources: ["volumeattachments/status"], verbs: ["patch"] },
  { ...events, verbs: [...(events.verbs as string[]), "list", "watch"] },
];

/** What both controllers need: rules for the whole cluster, and the way to the cloud's API. */
export function letControl(
  name: string,
  { namespace, cloud, rules }: { namespace: PlatformNamespace; cloud: CloudAccess; rules: Rule[] },
  opts: pulumi.CustomResourceOptions,
) {
  const client = { name, namespace, pods: { "app.kubernetes.io/name": name } };
  const toCloud = new k8s.networking.v1.NetworkPolicy(`${name}-to-cloud`, planApiEgress(client, cloud.endpoint), {
    ...opts,
    deletedWith: namespace.resource,
  });
  const [, rights] = bindCluster(name, namespace.name, rules, opts);
  return { toCloud, rights };
}

const apiOf = "https://api.hetzner.cloud/v1";
/** Networks in which the cloud's public API can't be. */
const elsewhere = ["10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"];

/**
 * The way to the cloud's API, and to the machine's own name servers, which these pods ask: the cluster's DNS can't run before
 * the nodes are initialised. An API at an address (an emulator) is opened by this address alone.
 */
export function planApiEgress(client: Client, endpoint = apiOf): k8s.networking.v1.NetworkPolicyArgs {
  const url = new URL(endpoint);
  const port = Number(url.port || (url.protocol === "http:" ? 80 : 443));
  const literal = /^[\d.]+$/.test(url.hostname);
  const ipBlock = literal ? { cidr: `${url.hostname}/32` } : { cidr: "0.0.0.0/0", except: elsewhere };
  const names = [53].flatMap((dns) => ["UDP", "TCP"].map((protocol) => ({ port: dns, protocol })));
  return {
    metadata: { name: `${client.name}-to-cloud`, namespace: client.namespace.name },
    spec: {
      podSelector: { matchLabels: client.pods },
      policyTypes: ["Egress"],
      egress: [{ to: [{ ipBlock }], ports: [{ port, protocol: "TCP" }] }, ...(literal ? [] : [{ ports: names }])],
    },
  };
}
