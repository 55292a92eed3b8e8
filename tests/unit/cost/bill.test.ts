import * as assert from "node:assert/strict";
import { type EngineEvent, planOf, type StepEvent } from "../../../cli/cost/events";
import { costTable } from "../../../cli/cost/table";
import { type Bill, billOf, costSchema, pricesOf } from "../../../stacks/cost";

const prices = pricesOf(costSchema.parse({}));
const urn = (type: string, name: string) => `urn:pulumi:prod::groundwork::${type}::${name}`;

/** One step of a preview, as the engine writes it. */
function step(op: string, type: string, name: string, old?: object, now?: object): EngineEvent {
  const state = (inputs: object | undefined) =>
    inputs && { type, urn: urn(type, name), inputs: inputs as Record<string, unknown>, outputs: {} };
  const metadata: StepEvent = { op, urn: urn(type, name), type, old: state(old) ?? null, new: state(now) ?? null };
  return { resourcePreEvent: { metadata } };
}

const SERVER = "hcloud:index/server:Server";
const VOLUME = "hcloud:index/volume:Volume";
const server = (serverType: string) => ({ serverType, location: "fsn1", publicNets: [{ ipv4Enabled: false }] });
const bill = (...events: EngineEvent[]): Bill => billOf(planOf(events), prices);
const sums = ({ before, monthly, added }: Bill) => ({ before, monthly, added });

describe("a plan's bill", () => {
  it("adds what is created and saves what is deleted", () => {
    const made = bill(
      step("same", SERVER, "server-1", server("cpx22"), server("cpx22")),
      step("create", SERVER, "server-2", undefined, server("cpx22")),
      step("delete", VOLUME, "data", { size: 100 }),
      step("create", "kubernetes:core/v1:Pod", "pod", undefined, {}),
    );
    assert.deepEqual(sums(made), { before: 25.21, monthly: 38.98, added: 13.77 });
    assert.deepEqual(
      made.lines.map(({ resource, change }) => [resource, change]),
      [
        ["server-1", "same"],
        ["server-2", "created"],
        ["data", "deleted"],
      ],
    );
  });

  it("takes a replacement's three steps for one server, and a resize for a change", () => {
    const replaced = bill(
      step("create-replacement", SERVER, "server-1", server("cpx22"), server("ccx13")),
      step("replace", SERVER, "server-1", server("cpx22"), server("ccx13")),
      step("delete-replaced", SERVER, "server-1", server("cpx22")),
    );
    assert.deepEqual(sums(replaced), { before: 19.49, monthly: 42.99, added: 23.5 });
    assert.equal(replaced.lines[0]?.change, "replaced");
    const resized = bill(step("update", SERVER, "server-1", server("cpx32"), server("cpx22")));
    assert.deepEqual(sums(resized), { before: 35.49, monthly: 19.49, added: -16 });
    assert.equal(resized.lines[0]?.change, "changed");
    const moved = bill(step("replace", SERVER, "server-1", server("cpx22"), server("cpx22")));
    assert.deepEqual(sums(moved), { before: 19.49, monthly: 19.49, added: 0 });
  });

  it("sees an address that goes and backups that come with a server that stays", () => {
    const made = bill(
      step("update", SERVER, "server-1", { ...server("cpx22"), publicNets: [] }, { ...server("cpx22"), backups: true }),
    );
    assert.deepEqual(sums(made), { before: 19.99, monthly: 23.39, added: 3.4 });
  });

  it("reads the place from the outputs where the cloud chose it", () => {
    const event = step("same", VOLUME, "data", { size: 10 }, { size: 10 });
    event.resourcePreEvent!.metadata.new!.outputs = { location: "fsn1", linuxDevice: "/dev/x" };
    assert.equal(bill(event).lines[0]?.what, "volume of 10 GB in fsn1");
  });

  it("ends when an event log was cut off, and is nothing for a stack without a cloud", () => {
    assert.equal(costTable(bill(step("create", "kubernetes:core/v1:Pod", "pod", undefined, {}))), "");
  });
});

describe("the table of costs", () => {
  it("shows each item, the sum, what changes, what has no price, and the date", () => {
    const text = costTable(
      bill(
        step("same", SERVER, "server-1", server("cpx22"), server("cpx22")),
        step("update", SERVER, "server-2", server("cpx22"), server("cpx32")),
        step("delete", VOLUME, "data", { size: 100 }),
        step("create", SERVER, "server-3", undefined, server("cx99")),
      ),
    );
    assert.match(text, /server-1 +server cpx22 in fsn1 +EUR 19\.49 +0\.0312\n/);
    assert.match(text, /server-2 .* changed from server cpx22 in fsn1 \(\+EUR 16\.00\)/);
    assert.match(text, /data +volume of 100 GB +- +deleted \(-EUR 5\.72\)/);
    assert.match(text, /server-3 +server cx99 in fsn1 +no price +created/);
    assert.match(text, /sum a month, net, 1 without a price +EUR 54\.98 +\+EUR 10\.28 \(now EUR 44\.70\)/);
    assert.match(text, /the table of 2026-09-28 has no price in EUR for cx99 in fsn1/);
    assert.match(text, /^Prices of 2026-09-28, without VAT\./m);
  });
});
