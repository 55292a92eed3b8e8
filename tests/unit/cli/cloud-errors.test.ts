import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { explainCloudErrors, readErrors } from "../../../cli/cloud-errors";

const urn = (name: string, type = "hcloud:index/server:Server") =>
  `urn:pulumi:prod::groundwork::groundwork:host:HcloudMachines$${type}::${name}`;
const command = (name: string) => urn(name, "command:remote:Command");

/** What providers say, in their form: the API's words with its code in brackets, and an id of the request at the official one. */
const cases: [what: string, urn: string, message: string, told: RegExp][] = [
  [
    "a wrong token",
    urn("hcloud-key"),
    "POST ssh_keys: the token is invalid (unauthorized)",
    /^Hetzner Cloud refuses the token/,
  ],
  [
    "a token that reads",
    urn("hcloud-key"),
    "only reading (token_readonly, 52f1)",
    /^the token for Hetzner Cloud may only read/,
  ],
  [
    "no token",
    urn("hcloud-key"),
    "the hcloud provider has no token: set hcloud:token or HCLOUD_TOKEN",
    /^there is no usable token/,
  ],
  [
    "a quota",
    urn("hcloud-work-9"),
    "server limit reached (resource_limit_exceeded, 9a01)",
    /^hcloud-work-9: the project's limit/,
  ],
  [
    "a type that is sold out",
    urn("hcloud-work-1"),
    "unavailable (resource_unavailable, 1f)",
    /^hcloud-work-1: Hetzner has none left/,
  ],
  ["no place apart", urn("hcloud-work-1"), "no host (placement_error)", /^hcloud-work-1: Hetzner has none left/],
  [
    "the rate limit",
    urn("hcloud-network"),
    "limit of 3600 requests (rate_limit_exceeded)",
    /^the project's 3,600 requests/,
  ],
  [
    "a name that is taken",
    urn("hcloud-server-1"),
    "name is used (uniqueness_error, 77)",
    /^hcloud-server-1: something of this name/,
  ],
  [
    "a machine that something else is done to",
    urn("hcloud-server-1"),
    "1 error occurred:\n\t* cannot perform operation because server is locked (locked, 40b3c1)",
    /^hcloud-server-1: something else is being done to it/,
  ],
  [
    "protection",
    urn("hcloud-server-1"),
    "server is protected (protected)",
    /^hcloud-server-1: it is protected from deletion/,
  ],
  [
    "a type that does not fit",
    urn("hcloud-work-1"),
    "can't become cpx32 (invalid_server_type)",
    /^hcloud-work-1: Hetzner does not change/,
  ],
  [
    "a machine that never boots",
    command("prod-server-2-boot"),
    "after 30 failed attempts: dial tcp 203.0.113.9:22: i/o timeout",
    /^prod-server-2-boot: the machine does not answer SSH/,
  ],
  [
    "a gateway that does not answer",
    command("prod-server-2-boot"),
    "proxy: after 10 failed attempts: dial tcp 203.0.113.9:22: i/o timeout",
    /^the gateway does not answer SSH/,
  ],
  [
    "another host key",
    command("prod-server-2-baseline-apply"),
    "after 5 failed attempts: ssh: handshake failed: ssh: host key mismatch",
    /^prod-server-2-baseline-apply: the machine shows another host key/,
  ],
  [
    "a key that is gone",
    command("prod-server-2-boot"),
    "after 5 failed attempts: ssh: handshake failed: ssh: unable to authenticate, attempted methods [none publickey]",
    /^prod-server-2-boot: the machine does not take the stack's key/,
  ],
  ["an API that fails", urn("hcloud-api"), "internal error (server_error)", /^hcloud-api: Hetzner's API failed/],
];

describe("failures at the cloud", () => {
  for (const [what, at, message, told] of cases) {
    it(`tell what to do about ${what}`, () => {
      const lines = explainCloudErrors([{ urn: at, message }]);
      assert.equal(lines.length, 1);
      assert.match(lines[0]!, told);
    });
  }

  it("are told once each, with all that they hit", () => {
    const message = "unavailable (resource_unavailable)";
    const lines = explainCloudErrors([
      { urn: urn("hcloud-work-1"), message },
      { urn: urn("hcloud-work-2"), message },
      { urn: urn("hcloud-key"), message: "no (unauthorized)" },
      { urn: urn("hcloud-network"), message: "no (unauthorized)" },
    ]);
    assert.equal(lines.length, 2);
    assert.match(lines[0]!, /^hcloud-work-1, hcloud-work-2: /);
  });

  it("leave alone what is not about the cloud, or not known", () => {
    assert.deepEqual(
      explainCloudErrors([
        { urn: urn("api", "kubernetes:apps/v1:Deployment"), message: "context deadline exceeded" },
        { urn: urn("hcloud-network"), message: "something new (never_heard_of)" },
        { urn: "", message: "update failed" },
      ]),
      [],
    );
  });

  it("are read from the engine's event log, whose last line may be cut off", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-events-"));
    try {
      const file = path.join(folder, "events.json");
      const event = (severity: string, message: string) =>
        JSON.stringify({ sequence: 1, diagnosticEvent: { urn: urn("hcloud-key"), severity, message } });
      fs.writeFileSync(file, [event("info", "well"), event("error", "bad"), '{"diagnosticEvent":{"sev'].join("\n"));
      assert.deepEqual(readErrors(file), [{ urn: urn("hcloud-key"), message: "bad" }]);
      assert.deepEqual(readErrors(path.join(folder, "none.json")), []);
    } finally {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  });
});
