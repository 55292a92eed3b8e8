import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { KubeClient } from "../../cli/access/api";
import { loginOf } from "../../cli/kube";
import { DockerEngine, openDocker } from "../support/docker-engine";
import { eventually } from "../support/https";
import { Project } from "../support/project";

/**
 * A one-node cluster in a container, once for each way of reaching it: 7 minutes on a computer that is busy with other clusters, most of
 * them waiting. Runs where a Docker engine answers or `dockerd` is installed; elsewhere it is skipped, and says so.
 */
const stack = "e2e-docker";
const container = `groundwork-${stack}-server-1`;
const ways = [
  { what: "reached at its own address", publish: { enabled: false }, api: "10.57.0.10" },
  // An address of loopback that no other test uses.
  { what: "reached by published ports", publish: { enabled: true, address: "127.0.57.1" }, api: "127.0.57.1" },
];

/** What a kubelet asks of the kernel, and the driver sets and gives back. */
const kernel = (): string[] =>
  ["vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops"].map(
    (key) => `${key}=${fs.readFileSync(`/proc/sys/${key}`, "utf8").trim()}`,
  );

interface Nodes {
  items: { metadata: { name: string }; status: { conditions: { type: string; status: string }[] } }[];
}

for (const { what, publish, api } of ways) {
  describe(`a cluster in a container, ${what}`, function () {
    this.timeout(10 * 60_000);
    this.bail(true);
    let engine: DockerEngine;
    let untouched: string[];
    let made: string;
    const project = new Project(stack);
    const target = { driver: "docker", network: { cidr: "10.57.0.0/24" }, publish };
    const tool = (...args: string[]) =>
      spawnSync(process.execPath, ["components/host/docker/tool.cjs", ...args], {
        env: { ...process.env, GROUNDWORK_STATE_DIR: `${project.folder}/state` },
        encoding: "utf8",
      }).stdout.trim();
    const inside = (...command: string[]) => engine.docker("exec", container, ...command);
    const objects = () =>
      [
        engine.docker("ps", "--all", "--quiet"),
        engine.docker("volume", "ls", "--quiet"),
        engine.docker("image", "ls", "--quiet"),
        engine.docker("network", "ls", "--quiet", "--filter", "type=custom"),
      ].join("|");

    function goes(): void {
      it("goes with everything that was made for it", async () => {
        await project.destroy();
        assert.equal(objects(), made);
        assert.deepEqual(kernel(), untouched);
      });
    }

    before("an engine of containers, and how the kernel was", async function () {
      const found = await openDocker();
      if (!found) {
        process.stdout.write("    no Docker engine here: the driver docker is not tried\n");
        this.skip();
      }
      engine = found!;
      untouched = kernel();
      made = objects();
      Object.assign(process.env, engine.env);
      await project.open();
    });

    after("nothing stays, whatever happened", async () => {
      if (!engine) return;
      tool("delete", `${stack}/server-1`);
      project.close();
      await engine.stop();
      for (const key of Object.keys(engine.env)) delete process.env[key];
    });

    it("comes up in one run", () => project.up(target));

    it("changes nothing when nothing changed", () => project.up(target, {}, "--expect-no-changes"));

    it("answers the kubeconfig from outside, with a node that is Ready", async () => {
      const { output } = await project.pulumi({}, "stack", "output", "kubeconfig", "--show-secrets");
      const file = path.join(project.folder, "kubeconfig");
      fs.writeFileSync(file, output, { mode: 0o600 });
      const login = loginOf(file);
      assert.equal(login.server, `https://${api}:6443`);
      const { items } = await new KubeClient(login).request<Nodes>("GET", "/api/v1/nodes");
      assert.deepEqual(
        items.map(({ metadata, status }) => [
          metadata.name,
          status.conditions.find(({ type }) => type === "Ready")?.status,
        ]),
        [["server-1", "True"]],
      );
    });

    // Once is enough: the ways do not differ in it.
    if (publish.enabled) return goes();

    it("has its firewall, and sets nothing of the kernel that a kubelet does not ask for", () => {
      assert.match(inside("nft", "list", "table", "inet", "groundwork"), /policy drop/);
      assert.doesNotMatch(inside("systemctl", "cat", "systemd-sysctl.service"), /^ExecStart=-.*kernel/m);
      assert.match(inside("systemctl", "is-system-running"), /running|starting/);
    });

    it("is repaired after a power cut, and the cluster comes back", async () => {
      engine.docker("kill", container);
      assert.equal(tool("ensure", "--stack", stack), `["${stack}/server-1"]`);
      await eventually(180, async () => {
        assert.match(inside("k3s", "kubectl", "get", "nodes", "--no-headers"), / Ready /);
      });
    });

    goes();
  });
}
