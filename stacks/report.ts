/** How `status` finds out, from outside, whether a component works. */
export type Probe =
  /** A TCP connection is accepted. */
  | { kind: "tcp"; address: string; port: number }
  /** All of `count` nodes are Ready. */
  | { kind: "nodes"; count: number }
  /** The Deployment, StatefulSet or DaemonSet has all its replicas ready. */
  | { kind: "workload"; namespace: string; name: string; resource: "deployments" | "statefulsets" | "daemonsets" }
  /** The object at this API path has the condition `type` with status True. */
  | { kind: "condition"; path: string; type: string }
  /** `GET url`, sent to `address` and checked against the stack's CA, answers with a status below 400. */
  | { kind: "https"; url: string; address: string };

/** What the program tells of one component, for `status`, `doctor` and the table after `up`. */
export interface ComponentReport {
  name: string;
  /** Names in the artefact catalogue that it runs on: they decide whether its parts are official. */
  artifacts: string[];
  probe: Probe;
  url?: string;
}

/** The program's output `report`; it holds no secret. */
export interface StackReport {
  stack: string;
  target: string;
  components: ComponentReport[];
  /** Name to URL, for people and scripts. */
  endpoints: Record<string, string>;
  /** Names that resolve to `ingressAddress`. */
  hostnames: string[];
  ingressAddress: string;
  /** CA certificate that signs the endpoints' certificates, PEM. */
  ca: string;
}
