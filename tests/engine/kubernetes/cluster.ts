import { openArtifacts } from "../../../artifacts";
import { ApiServer, simulateNodes, startApiServer } from "../apiserver";

/** Path of the K3s-compatible node, whose parts make up the API server. */
const binary = (): string => process.env["GROUNDWORK_K3S_BINARY"] ?? openArtifacts().file("k3s").path;

/**
 * Registers hooks that give the suite around the call a control plane with one simulated node, on which pods with the
 * label `stuck: "yes"` never start. The function returned gives it once the hooks have run.
 */
export function useCluster(): () => ApiServer {
  let server: ApiServer | undefined;
  let nodes: { stop(): Promise<void> } | undefined;
  const problems = new Set<string>();
  before(async function () {
    this.timeout(120_000);
    server = await startApiServer(binary());
    nodes = await simulateNodes(server.api, {
      stuck: (pod) => pod.metadata.labels?.["stuck"] === "yes",
      onError: (error) => problems.add(error.message),
    });
  });
  after(async function () {
    this.timeout(30_000);
    await nodes?.stop();
    await server?.stop();
    if (problems.size > 0) throw new Error(`the simulated node had problems:\n${[...problems].join("\n")}`);
  });
  return () => server!;
}
