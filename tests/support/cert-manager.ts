import { ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { parseAllDocuments } from "yaml";
import { openArtifacts } from "../../artifacts";
import { clusterRules, ownNamespaceRules, servedRules, solverRules } from "../../components/pki/cert-manager-access";
import { AcmeConfig, planController } from "../../components/pki/cert-manager-config";
import { ApiServer, at, KubeApi, KubeObject, until } from "../engine/apiserver";
import { programOf } from "./image-program";

const namespace = "cert-manager";
const rbac = "/apis/rbac.authorization.k8s.io/v1";

export interface ControllerArgs {
  server: ApiServer;
  /** Namespaces that it may keep certificates in, and solve HTTP-01 challenges. */
  serves: string[];
  acme: AcmeConfig;
}

/** cert-manager's own controller, outside of a cluster, with exactly the permissions that the component gives it. */
export class CertManagerController {
  private readonly child: ChildProcess;
  private readonly log: string;

  private constructor(child: ChildProcess, log: string) {
    this.child = child;
    this.log = log;
  }

  static async start({ server, serves, acme }: ControllerArgs): Promise<CertManagerController> {
    const artifacts = openArtifacts();
    await installDefinitions(server.api, fs.readFileSync(artifacts.manifest("cert-manager-crds").path, "utf8"));
    for (const name of [namespace, ...serves]) await makeNamespace(server.api, name);
    await grant(server.api, serves);
    const program = programOf(artifacts.image("cert-manager-controller"), "/app/cmd/controller/controller", server.dir);
    const config = path.join(server.dir, "controller.json");
    const planned = JSON.parse(planController(namespace, acme)) as object;
    const kubeConfig = path.join(server.dir, "cert-manager.kubeconfig");
    fs.writeFileSync(kubeConfig, await kubeconfigOf(server), { mode: 0o600 });
    // The ports are the test's own; all else is the component's.
    const ports = { metricsListenAddress: "127.0.0.1:0", healthzListenAddress: "127.0.0.1:0" };
    fs.writeFileSync(config, JSON.stringify({ ...planned, ...ports, kubeConfig }));
    const log = path.join(server.dir, "cert-manager.log");
    const output = fs.openSync(log, "w");
    const child = spawn(program, [`--config=${config}`], { stdio: ["ignore", output, output] });
    return new CertManagerController(child, log);
  }

  /** What it logged, for the message of a failed test. */
  logged(): string {
    return fs.readFileSync(this.log, "utf8");
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGKILL");
    await ended;
  }
}

async function installDefinitions(api: KubeApi, manifest: string): Promise<void> {
  const definitions = parseAllDocuments(manifest).map((document) => document.toJS() as KubeObject);
  const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  await Promise.all(definitions.map((definition) => api.post(path, definition)));
  const established = (definition: KubeObject): boolean =>
    (at<{ type: string; status: string }[]>(definition, "status", "conditions") ?? []).some(
      ({ type, status }) => type === "Established" && status === "True",
    );
  await until(async () => (await api.list(path)).every(established), 20_000, "the definitions are not established");
}

async function makeNamespace(api: KubeApi, name: string): Promise<void> {
  await api.post("/api/v1/namespaces", { metadata: { name } });
  await until(
    async () => (await api.find(`/api/v1/namespaces/${name}/serviceaccounts/default`)) !== undefined,
    20_000,
    `the namespace ${name} has no account`,
  );
}

/** The account, the roles and their bindings, as `CertManager` makes them. */
async function grant(api: KubeApi, serves: string[]): Promise<void> {
  await api.post(`/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: namespace } });
  const subjects = [{ kind: "ServiceAccount", name: namespace, namespace }];
  const bind = async (kind: "Role" | "ClusterRole", place: string, rules: object[]) => {
    const metadata = { name: namespace };
    const kinds = kind.toLowerCase();
    await api.post(`${rbac}${place}/${kinds}s`, { metadata, rules });
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind, name: namespace };
    await api.post(`${rbac}${place}/${kinds}bindings`, { metadata, roleRef, subjects });
  };
  await bind("ClusterRole", "", clusterRules(true));
  await bind("Role", `/namespaces/${namespace}`, ownNamespaceRules);
  for (const name of serves) await bind("Role", `/namespaces/${name}`, [...servedRules(), ...solverRules]);
}

async function kubeconfigOf(server: ApiServer): Promise<string> {
  const asked = await server.api.post<{ status: { token: string } }>(
    `/api/v1/namespaces/${namespace}/serviceaccounts/${namespace}/token`,
    { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { expirationSeconds: 3600 } },
  );
  return server.kubeconfig.replace(server.token, asked.status.token);
}
