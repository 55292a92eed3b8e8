import * as assert from "node:assert/strict";
import { certificateTable, readCertificates, remaining } from "../../../cli/certificates";
import { KubeError, KubeReader } from "../../../cli/kube";
import { selfSigned } from "../../../standins/rehearsal/certificate";

const hour = 3_600_000;
const now = new Date("2027-03-01T00:00:00Z");
const life = (hoursAgo: number, hoursLeft: number) => ({
  from: new Date(now.getTime() - hoursAgo * hour),
  to: new Date(now.getTime() + hoursLeft * hour),
});

/** A double of the API server: answers by path, 404 for the rest. */
const kube = (answers: Record<string, unknown>): KubeReader => ({
  get: <T>(path: string) =>
    path in answers ? Promise.resolve(answers[path] as T) : Promise.reject(new KubeError(404, "not found")),
  date: () => Promise.resolve(now),
});

const certificates = "/apis/cert-manager.io/v1/certificates";
const secrets = "/api/v1/secrets?fieldSelector=type%3Dkubernetes.io%2Ftls";
const base64 = (text: string): string => Buffer.from(text).toString("base64");

describe("what is left of a certificate", () => {
  it("is counted in whole days", () => {
    assert.deepEqual(remaining("graph", life(24, 2136), now), { notAfter: "2027-05-29T00:00:00.000Z", daysLeft: 89 });
  });

  it("is a warning below a third of its life, and no earlier", () => {
    assert.equal(remaining("cert-manager", life(1439, 721), now).warning, undefined);
    assert.match(remaining("cert-manager", life(1441, 719), now).warning!, /near its end.*runbooks\/certificates/);
    assert.match(remaining("graph", life(2000, 160), now).warning!, /npm run up/);
  });

  it("leaves operators their time, which is the last week", () => {
    assert.equal(remaining("operator", life(2000, 160), now).warning, undefined);
    assert.match(remaining("operator", life(2000, 100), now).warning!, /its operator has not renewed it/);
  });

  it("is a warning when nothing is left, and when it has not begun", () => {
    const expired = remaining("edge", life(2161, -1), now);
    assert.equal(expired.daysLeft, -1);
    assert.match(expired.warning!, /^expired; the edge shows an old one/);
    assert.match(remaining("edge", life(-1, 24), now).warning!, /a clock is wrong/);
  });
});

describe("the certificates of a stack", () => {
  const nowhere = { ca: "", hostnames: [], ingressAddress: "" };

  it("are those of cert-manager and those that the graph makes, each once, the first to end at the top", async () => {
    const made = selfSigned("traefik", ["api.local"], 24 * 30, now);
    const found = await readCertificates(
      nowhere,
      kube({
        [certificates]: {
          items: [
            {
              metadata: { name: "one", namespace: "app" },
              status: { notBefore: "2027-02-01T00:00:00Z", notAfter: "2027-05-01T00:00:00Z" },
            },
          ],
        },
        [secrets]: {
          items: [
            { metadata: { name: "traefik-tls", namespace: "traefik" }, data: { "tls.crt": base64(made.certificate) } },
            {
              metadata: {
                name: "one-tls",
                namespace: "app",
                annotations: { "cert-manager.io/certificate-name": "one" },
              },
              data: { "tls.crt": base64(made.certificate) },
            },
          ],
        },
      }),
      now,
    );
    assert.deepEqual(
      found.map(({ name, source, daysLeft, warning }) => [name, source, daysLeft, warning]),
      [
        ["traefik/traefik-tls", "graph", 30, undefined],
        ["app/one", "cert-manager", 61, undefined],
      ],
    );
    assert.match(certificateTable(found), /traefik\/traefik-tls +graph +30 +2027-03-31 +good/);
  });

  it("are there without cert-manager, too", async () => {
    assert.deepEqual(await readCertificates(nowhere, kube({ [secrets]: { items: [] } }), now), []);
  });

  it("say why one was not issued, and which Secret can't be read", async () => {
    const conditions = [{ type: "Ready", status: "False", message: "the issuer is not ready" }];
    const found = await readCertificates(
      nowhere,
      kube({
        [certificates]: { items: [{ metadata: { name: "one", namespace: "app" }, status: { conditions } }] },
        [secrets]: { items: [{ metadata: { name: "odd", namespace: "app" }, data: { "tls.crt": base64("no PEM") } }] },
      }),
      now,
    );
    assert.deepEqual(found.map(({ warning }) => warning).sort(), [
      "holds no certificate that can be read",
      "not issued: the issuer is not ready",
    ]);
    assert.match(certificateTable(found), /WARNING: not issued/);
  });

  it("are not hidden by an edge that does not answer", async () => {
    const root = selfSigned("root", [], 87_600, now);
    const [shown, authority] = await readCertificates(
      { ca: root.certificate, hostnames: ["api.local"], ingressAddress: "127.0.0.1" },
      kube({ [secrets]: { items: [] } }),
      now,
    );
    assert.equal(shown!.source, "edge");
    assert.match(shown!.warning!, /^not shown: /);
    assert.deepEqual([authority!.name, authority!.daysLeft], ["root", 3650]);
  });
});
