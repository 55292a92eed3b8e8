import * as assert from "node:assert/strict";
import { goneServers, type KnownServer, oneTypeAtATime } from "../../../cli/cloud/servers";

const server = (name: string, id: string, role = "server"): KnownServer => ({
  ...{ urn: `urn::${name}`, id, name, role, type: "cpx32" },
});
const known = [
  ...[server("prod-server-1", "1"), server("prod-server-2", "2"), server("prod-server-3", "3")],
  ...[server("prod-work-1", "4", "agent"), server("prod-gateway", "5", "gateway")],
];

describe("servers that the cloud does not have any more", () => {
  it("are those of the state that are not there, whatever else is", () => {
    assert.deepEqual(goneServers("prod", known, ["1", "2", "3", "4", "5", "99"]), []);
    assert.deepEqual(
      goneServers("prod", known, ["1", "3", "5"]).map(({ name }) => name),
      ["prod-server-2", "prod-work-1"],
    );
  });

  it("are the cluster's end where they are all that run its control plane", () => {
    assert.throws(() => goneServers("prod", known, ["4", "5"]), /all servers of prod are gone.*npm run restore/);
    const [one] = goneServers("prod", known, ["1", "4", "5"]);
    assert.equal(one!.name, "prod-server-2");
  });
});

describe("servers that get another type", () => {
  const planned = (...types: string[]) => known.map(({ name }, index) => ({ name, type: types[index] ?? "cpx32" }));

  it("may be one that runs the control plane, and any number that do not", () => {
    assert.doesNotThrow(() => oneTypeAtATime("prod", known, planned("cpx42", "cpx32", "cpx32", "cpx42", "cpx22")));
  });

  it("are refused where the control plane would lose its majority, with the commands that do it one by one", () => {
    assert.throws(
      () => oneTypeAtATime("prod", known, planned("cpx42", "cpx42", "cpx32")),
      /prod-server-1, prod-server-2 would get another type at once[^]*--target 'urn::prod-server-1'\n.*--target 'urn::prod-server-2'$/,
    );
  });
});
