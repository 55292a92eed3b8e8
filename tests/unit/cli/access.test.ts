import * as assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, verify } from "node:crypto";
import { parse } from "yaml";
import { hoursOf, kubeconfigText, roleOf } from "../../../cli/access";
import { certificateRequest } from "../../../cli/access/der";
import { accessSchema } from "../../../components/identity";

/** The elements inside a DER element, each with its own tag and length. */
function children(der: Buffer): Buffer[] {
  const size = (at: number): [number, number] => {
    const first = der[at + 1]!;
    if (first < 0x80) return [2, first];
    const bytes = first & 0x7f;
    return [2 + bytes, der.readUIntBE(at + 2, bytes)];
  };
  const found: Buffer[] = [];
  let at = size(0)[0];
  while (at < der.length) {
    const [head, length] = size(at);
    found.push(der.subarray(at, at + head + length));
    at += head + length;
  }
  return found;
}

describe("a certificate request", () => {
  const { request, privateKey } = certificateRequest("jane", "groundwork:viewers");
  const der = Buffer.from(request.replace(/-----[^-]+-----|\n/g, ""), "base64");
  const [info, , signature] = children(der);

  it("is signed by its own key", () => {
    const bits = signature!.subarray(3);
    assert.ok(verify("sha256", info!, createPublicKey(createPrivateKey(privateKey)), bits));
    assert.ok(!verify("sha256", Buffer.concat([info!, Buffer.from([0])]), createPublicKey(privateKey), bits));
  });

  it("names the group as organisation and the user as common name, with the key", () => {
    const [version, subject, key, attributes] = children(info!);
    assert.equal(version!.toString("hex"), "020100");
    assert.match(subject!.toString("latin1"), /\x55\x04\x0a\x0c\x12groundwork:viewers[^]*\x55\x04\x03\x0c\x04jane$/);
    assert.deepEqual(key, createPublicKey(privateKey).export({ type: "spki", format: "der" }));
    assert.equal(attributes!.toString("hex"), "a000");
  });

  it("has lengths beyond a byte", () => {
    const long = certificateRequest("j".repeat(64), "g".repeat(200)).request;
    assert.equal(children(Buffer.from(long.replace(/-----[^-]+-----|\n/g, ""), "base64")).length, 3);
  });
});

describe("npm run access", () => {
  const settings = accessSchema.parse({ enabled: true, admins: ["ada"], developers: ["joe"], viewers: ["jane"] });

  it("gives people the group that the stack's file says", () => {
    assert.equal(roleOf(settings, "joe", undefined), "developer");
    assert.equal(roleOf(settings, "joe", "developer"), "developer");
  });

  const refused: [string, () => unknown, RegExp][] = [
    [
      "a stranger",
      () => roleOf(settings, "mallory", "admin"),
      /mallory is in no group: add .* groundwork:access\.admins/,
    ],
    ["a higher group", () => roleOf(settings, "jane", "admin"), /jane is in the group viewer, not in admin/],
    [
      "a group that is none",
      () => roleOf(settings, "jane", "root"),
      /no group "root": there are admin, developer, viewer/,
    ],
    ["a longer life", () => hoursOf("9", 8), /--hours must be a whole number from 1 to 8/],
    ["half an hour", () => hoursOf("0.5", 8), /whole number/],
  ];
  for (const [what, call, message] of refused) it(`refuses ${what}`, () => assert.throws(call, { message }));

  it("writes a kubeconfig with one cluster and one user", () => {
    const login = { server: "https://192.0.2.1:6443", ca: "CA", certificate: "CERT", key: "KEY" };
    const config = parse(kubeconfigText("prod", "jane", login)) as Record<string, unknown>;
    assert.equal(config["current-context"], "jane@prod");
    assert.deepEqual(config["users"], [
      { name: "jane@prod", user: { "client-certificate-data": "Q0VSVA==", "client-key-data": "S0VZ" } },
    ]);
  });
});
