import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { type Cloud, startCloud } from "../../../standins/cloud/cloud";
import { paper } from "../../../standins/cloud/paper";
import { type Outcome, run } from "../contract/scenario";
import { type Provider, subjects } from "../contract/subjects";
import { counted } from "./counted";
import { type Edits, everything } from "./program";

const name = "hcloud" as Provider;

describe("the hcloud provider on the cloud emulator", function () {
  this.timeout(300_000);
  let folder: string;
  let cloud: Cloud;
  beforeEach(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "cloud-"));
    cloud = await startCloud({ folder, backend: paper(), rateLimit: 360_000 });
  });
  afterEach(async () => {
    await cloud.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  for (const subject of subjects(name)) {
    const program = (edits?: Edits) => () => everything(cloud, edits);
    const only = (outcome: Outcome, op: string) => Object.entries(outcome.ops).filter(([, o]) => o !== op);

    it(`makes every kind, finds nothing to do, changes and destroys (${subject.kind})`, async () => {
      const seen: Record<string, number>[] = [];
      const look = () => void seen.push(counted(cloud));
      const edits: Edits = { nodes: 3, port: "443", volume: 20, type: "cpx32" };
      const outcomes = await run(subject, {
        name: "life of everything",
        steps: [
          { verb: "preview", program: program() },
          { verb: "up", program: program(), before: look },
          { verb: "up", program: program(), before: look },
          { verb: "refresh", program: program() },
          { verb: "up", program: program() },
          { verb: "up", program: program(edits) },
          { verb: "refresh", program: program(edits), before: look },
          { verb: "up", program: program({ ...edits, nodes: 1 }) },
          { verb: "destroy", program: program(), before: look },
        ],
      });
      look();
      const [preview, created, again, refreshed, after, changed, changedRefresh, shrunk, destroyed] = outcomes;
      for (const [i, o] of outcomes.entries()) assert.deepEqual(o.errors, [], `step ${i}`);
      assert.deepEqual(only(preview!, "create"), []);
      assert.deepEqual(only(created!, "create"), []);
      assert.deepEqual(seen[0], {}, "a preview makes nothing");
      assert.deepEqual(seen[1], {
        ssh_keys: 1,
        networks: 1,
        servers: 3,
        placement_groups: 1,
        firewalls: 2,
        load_balancers: 1,
        volumes: 1,
        // One that is named, and two of each of the nodes.
        primary_ips: 5,
        images: 1,
      });
      assert.deepEqual(only(again!, "same"), []);
      assert.deepEqual(
        only(refreshed!, "refresh").filter(([, op]) => op !== "same"),
        [],
      );
      assert.deepEqual(refreshed!.diffs, {}, "a refresh finds no difference");
      assert.deepEqual(only(after!, "same"), []);

      assert.equal(changed!.ops["node-3"], "create");
      for (const resource of ["firewall", "volume", "gateway", "node-1"])
        assert.equal(changed!.ops[resource], "update", resource);
      assert.deepEqual(changedRefresh!.diffs, {});
      const servers = (changedRefresh!.raw ?? []).filter((r) => r.type === "hcloud:index/server:Server");
      assert.deepEqual([...new Set(servers.map((s) => s.outputs!["serverType"]))], ["cpx32"]);
      assert.equal(seen[2]!["servers"], 4);
      assert.equal(shrunk!.ops["node-3"], "delete");
      assert.equal(seen[3]!["servers"], 2);
      assert.deepEqual(destroyed!.resources, {});
      assert.deepEqual(seen[4], {}, "nothing is left");
    });

    it(`says in the API's words what can't be had, keeps what was made, and goes on when it can (${subject.kind})`, async () => {
      const sold = { kind: "soldOut" as const, type: "cpx22", location: "fsn1" };
      const outcomes = await run(subject, {
        name: "sold out",
        steps: [
          { verb: "up", program: program(), before: () => cloud.fail(sold) },
          { verb: "up", program: program(), before: () => cloud.fail({ ...sold, off: true }) },
          { verb: "destroy", program: program() },
        ],
      });
      assert.match(outcomes[0]!.errors.join("\n"), /not available in fsn1.*resource_unavailable/);
      assert.ok(outcomes[0]!.resources["network"], "what was made before is in the state");
      assert.equal(outcomes[0]!.resources["node-1"], undefined);
      assert.deepEqual(
        outcomes.slice(1).map((o) => o.errors),
        [[], []],
      );
      assert.deepEqual(counted(cloud), {});
    });

    it(`gets over a failing API, lost connections and the rate limit (${subject.kind})`, async () => {
      const trouble = () => {
        cloud.fail({ kind: "request", method: "GET", path: "/servers/*", status: 502, code: "bad_gateway" });
        cloud.fail({
          kind: "request",
          method: "POST",
          path: "/networks/*/actions/add_subnet",
          status: 409,
          code: "conflict",
        });
        cloud.fail({ kind: "rateLimit", left: 5 });
      };
      const outcomes = await run(subject, {
        name: "trouble",
        steps: [
          { verb: "up", program: program(), before: trouble },
          { verb: "destroy", program: program() },
        ],
      });
      assert.deepEqual(
        outcomes.map((o) => o.errors),
        [[], []],
      );
      assert.deepEqual(counted(cloud), {});
    });
  }
});
