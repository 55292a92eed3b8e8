import * as assert from "node:assert/strict";
import { type Provider, subjects } from "../contract/subjects";
import { CloudProject, ok } from "./project";

const target = {
  driver: "hcloud",
  location: "fsn1",
  servers: { count: 3, type: "cpx32" },
  agents: [{ name: "work", count: 1, type: "cpx42" }],
  gateway: { type: "cpx12" },
  firewall: { adminSources: ["198.51.100.0/24"] },
};

const present = subjects("hcloud" as Provider);

/** Cost: five engine runs of some seconds each way; only where both kinds of plugin are there. */
describe("machines that were ordered with one hcloud plugin", function () {
  this.timeout(300_000);

  for (const first of present) {
    for (const second of present.filter((other) => other !== first)) {
      it(`stay as they are with the other, and go with it (${first.kind}, then ${second.kind})`, async () => {
        const project = new CloudProject(first);
        const changes = () =>
          Object.entries(project.cloud.requests().byPath).filter(([pattern]) => !pattern.startsWith("GET "));
        const run = async (...args: string[]) => ok(await project.pulumi(...args, "--yes", "--skip-preview"));
        try {
          await project.open();
          project.target = target;
          await run("up");
          const before = changes();
          await project.use(second);
          // Whatever touched a server's public network would switch all of them off at once.
          for (const again of [["up"], ["up", "--refresh"]]) {
            await run(...again);
            assert.deepEqual(changes(), before, again.join(" "));
          }
          await run("destroy");
          assert.deepEqual(project.names("servers"), []);
          assert.deepEqual(project.names("networks"), []);
        } finally {
          await project.close();
        }
      });
    }
  }
});
