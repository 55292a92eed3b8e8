import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import * as tls from "@pulumi/tls";
import { type Case, contract } from "./contract";
import type { Outcome } from "./scenario";

const pems = ["privateKeyPem", "privateKeyPemPkcs8", "privateKeyOpenssh", "publicKeyPem", "publicKeyOpenssh"];
const derived = [
  "publicKeyFingerprintMd5",
  "publicKeyFingerprintSha256",
  "certPem",
  "certRequestPem",
  "caCertPem",
  "caPrivateKeyPem",
];
const volatileOf = (name: string): string[] =>
  ["id", ...pems, ...derived, "validityStartTime", "validityEndTime"].map((p) => `${name}.${p}`);

function raw(o: Outcome, name: string, property: string): string {
  const v = o.raw.find((r) => r.urn.endsWith(`::${name}`))?.outputs?.[property] as string | { plaintext: string };
  return typeof v === "string" ? v : (JSON.parse(v.plaintext) as string);
}

const chain: Case = {
  scenario: () => {
    const make = (hours: number) => () => {
      const caKey = new tls.PrivateKey("ca-key", { algorithm: "ECDSA", ecdsaCurve: "P256" });
      const ca = new tls.SelfSignedCert("ca", {
        privateKeyPem: caKey.privateKeyPem,
        subject: { commonName: "ca", organization: "contract" },
        isCaCertificate: true,
        setSubjectKeyId: true,
        validityPeriodHours: 48,
        allowedUses: ["cert_signing", "crl_signing"],
      });
      const key = new tls.PrivateKey("key", { algorithm: "ED25519" });
      const request = new tls.CertRequest("request", {
        privateKeyPem: key.privateKeyPem,
        subject: { commonName: "x.local" },
        dnsNames: ["x.local"],
        ipAddresses: ["10.0.0.1"],
      });
      new tls.LocallySignedCert("leaf", {
        certRequestPem: request.certRequestPem,
        caPrivateKeyPem: caKey.privateKeyPem,
        caCertPem: ca.certPem,
        validityPeriodHours: hours,
        allowedUses: ["server_auth"],
      });
    };
    return {
      name: "a chain: preview, create, no-op, refresh, a new period, destroy",
      volatile: ["ca-key", "key", "ca", "request", "leaf"].flatMap(volatileOf),
      steps: [
        { verb: "preview", program: make(24) },
        { verb: "up", program: make(24) },
        { verb: "up", program: make(24) },
        { verb: "refresh", program: make(24) },
        { verb: "up", program: make(12) },
        { verb: "destroy", program: make(12) },
      ],
    };
  },
  expect: (s) => {
    const all = (op: string) => ({ ca: op, "ca-key": op, key: op, leaf: op, request: op });
    assert.deepEqual(sorted(s[0]!.ops), all("create"));
    assert.deepEqual(sorted(s[1]!.ops), all("create"));
    assert.deepEqual(sorted(s[2]!.ops), all("same"));
    assert.deepEqual(sorted(s[4]!.ops), { ...all("same"), leaf: "replace" });
    assert.deepEqual(s[4]!.diffs["leaf"], ["validityPeriodHours"]);
    const ca = new X509Certificate(raw(s[1]!, "ca", "certPem"));
    const leaf = new X509Certificate(raw(s[1]!, "leaf", "certPem"));
    assert.ok(ca.ca && leaf.verify(ca.publicKey) && leaf.checkIssued(ca));
    assert.equal(leaf.checkHost("x.local"), "x.local");
    assert.equal(leaf.checkIP("10.0.0.1"), "10.0.0.1");
    const outputs = s[1]!.resources["key"]!.outputs as Record<string, unknown>;
    for (const p of ["privateKeyPem", "privateKeyPemPkcs8", "privateKeyOpenssh"]) {
      assert.ok("secret" in (outputs[p] as object), p);
    }
    assert.deepEqual(s[5]!.resources, {});
  },
};

const renewal: Case = {
  scenario: () => {
    const make = (early: number) => () => {
      const key = new tls.PrivateKey("key", { algorithm: "RSA", rsaBits: 2048 });
      new tls.SelfSignedCert("cert", {
        privateKeyPem: key.privateKeyPem,
        validityPeriodHours: 2,
        earlyRenewalHours: early,
        allowedUses: ["server_auth"],
      });
    };
    return {
      name: "early renewal replaces a certificate whose time has come",
      volatile: ["key", "cert"].flatMap(volatileOf),
      steps: [
        { verb: "up", program: make(1) },
        { verb: "up", program: make(1) },
        { verb: "up", program: make(3) },
      ],
    };
  },
  expect: (s) => {
    assert.deepEqual(
      s.map((o) => o.ops["cert"]),
      ["create", "same", "replace"],
    );
  },
};

function sorted(o: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(o).sort(([a], [b]) => a.localeCompare(b)));
}

contract("tls", [chain, renewal]);
