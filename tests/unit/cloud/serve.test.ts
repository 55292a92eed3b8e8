import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CloudApi } from "../../../cli/cloud/api";
import { type EndpointFile, serveDetached, stopDetached } from "../../../standins/cloud/main";

const tool = path.resolve(__dirname, "../../../standins/cloud/cloud.cjs");
const run = (...args: string[]) => spawnSync(process.execPath, [tool, ...args], { encoding: "utf8" });

describe("cloud emulator: a process of its own", function () {
  this.timeout(60_000);
  let folder: string;
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "serve-"));
  });
  afterEach(async () => {
    await stopDetached(folder);
    fs.rmSync(folder, { recursive: true, force: true });
  });

  async function kill({ pid }: EndpointFile): Promise<void> {
    process.kill(pid, "SIGKILL");
    for (; fs.existsSync(`/proc/${pid}`) && fs.readFileSync(`/proc/${pid}/cmdline`, "utf8") !== "";) await sleep(20);
  }

  it("says that it is a stand-in, takes faults, tells what it has, and stops", async () => {
    const found = await serveDetached({ folder, backend: "paper" });
    assert.match(found.standIn, /nothing here is at Hetzner/);
    assert.match(fs.readFileSync(path.join(folder, "emulator.log"), "utf8"), /Stand-in for the Hetzner Cloud API/);
    assert.equal(found.token.length, 64, "clients want a token as long as Hetzner's");
    assert.match(
      run("env", "--folder", folder).stdout,
      new RegExp(`HCLOUD_ENDPOINT=${found.endpoint} HCLOUD_TOKEN=${found.token}`),
    );
    const second = run("serve", "--folder", folder);
    assert.equal(second.status, 1);
    assert.match(second.stderr, /runs on .* already/);

    const api = new CloudApi(found);
    await api.change("POST", "/placement_groups", { name: "g", type: "spread" });
    const objects = JSON.parse(run("objects", "--folder", folder).stdout) as Record<string, object[]>;
    assert.equal(objects["placement_groups"]!.length, 1);
    const requests = JSON.parse(run("requests", "--folder", folder).stdout) as { byPath: Record<string, number> };
    assert.equal(requests.byPath["POST /placement_groups"], 1);
    assert.equal(run("fail", "--folder", folder, '{"kind":"quota","of":"placement_groups","limit":1}').status, 0);
    await assert.rejects(api.change("POST", "/placement_groups", { name: "h", type: "spread" }), /limit exceeded/);

    assert.equal(run("stop", "--folder", folder).stdout.trim(), "stopped");
    assert.equal(run("stop", "--folder", folder).stdout.trim(), "no emulator ran");
    assert.equal(run("objects", "--folder", folder).status, 1);
  });

  it("comes back after a kill where it was, and ends what was under way", async () => {
    const first = await serveDetached({ folder, backend: "paper", latency: { actions: 1500 } });
    const api = new CloudApi(first);
    const server = { name: "a", server_type: "cpx22", image: "debian-12", location: "fsn1" };
    const made = await fetch(`${first.endpoint}/servers`, {
      method: "POST",
      headers: { Authorization: `Bearer ${first.token}` },
      body: JSON.stringify(server),
    });
    const { action } = (await made.json()) as { action: { id: number; status: string } };
    assert.equal(action.status, "running");
    await kill(first);
    const second = await serveDetached({ folder, backend: "paper" });
    assert.deepEqual([second.endpoint, second.token], [first.endpoint, first.token]);
    await api.waitFor({ ...action, command: "create_server", status: "running" });
    const [found] = await api.list<{ id: number; name: string; status: string }>("/servers", "servers");
    for (; (await api.get<any>(`/servers/${found!.id}`)).server.status !== "running";) await sleep(50);
    assert.equal(found!.name, "a");
  });

  it("says what is wrong with a command line", () => {
    for (const [args, says] of [
      [[], /stands in for the cloud/],
      [["serve", "--folder", folder, "--backend", "real"], /no backend real/],
      [["serve", "--folder", folder, "--listen", "here"], /HOST:PORT/],
      [["fly", "--folder", folder], /serve --folder/],
    ] as const) {
      const { status, stderr } = run(...args);
      assert.equal(status, 1);
      assert.match(stderr, says);
    }
  });
});
