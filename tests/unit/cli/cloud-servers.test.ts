import * as assert from "node:assert/strict";
import { departing, goneServers, type KnownServer, oneTypeAtATime } from "../../../cli/cloud/servers";

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

describe("machines that a run deletes", () => {
  const resource = (name: string, inputs: object = {}) => ({
    ...{ urn: `urn::${name}`, type: "hcloud:index/server:Server", id: `id-${name}` },
    inputs: { name, serverType: "cpx32", location: "fsn1", ...inputs },
  });
  const address = (name: string) => ({
    ...{ urn: `urn::${name}`, type: "hcloud:index/primaryIp:PrimaryIp", id: `id-${name}` },
    inputs: { name, location: "fsn1" },
  });
  const resources = [resource("prod-server-1"), resource("prod-work-1"), address("prod-work-1-ipv4")];
  const state = { deployment: { resources } };
  type Planned = Parameters<typeof departing>[1]["nodes"][number];
  const planned = (name: string, changes: object = {}) =>
    ({ name, location: "fsn1", architecture: "x86", ...changes }) as Planned;
  const ids = (nodes: Planned[], ...rest: string[]) =>
    [...departing(state, { nodes }, rest).values()].flatMap((found) => [...found]).sort();

  it("are none where nothing changes", () => {
    assert.deepEqual(ids([planned("prod-server-1"), planned("prod-work-1")]), []);
    assert.deepEqual(ids([planned("prod-server-1"), planned("prod-work-1")], "--target", "urn::prod-work-1"), []);
  });

  it("are those that the settings have no more, with their addresses", () => {
    assert.deepEqual(ids([planned("prod-server-1")]), ["id-prod-work-1", "id-prod-work-1-ipv4"]);
  });

  it("are those that are made anew: told so, elsewhere, or for another processor", () => {
    const both = [planned("prod-server-1"), planned("prod-work-1")];
    assert.deepEqual(ids(both, "--replace", "urn::prod-work-1"), ["id-prod-work-1"]);
    assert.deepEqual(ids(both, "--replace=urn::prod-work-1"), ["id-prod-work-1"]);
    assert.deepEqual(ids([both[0]!, planned("prod-work-1", { architecture: "arm" })]), ["id-prod-work-1"]);
    assert.deepEqual(ids([both[0]!, planned("prod-work-1", { location: "nbg1" })]), [
      "id-prod-work-1",
      "id-prod-work-1-ipv4",
    ]);
  });
});
