import * as assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { checkCluster } from "../../../cli/doctor/cluster";
import { checkClocks } from "../../../cli/doctor/clocks";
import { report } from "../../../cli/doctor";
import { checkVault, KeeperStatus } from "../../../cli/doctor/vault";
import { KubeError, KubeReader } from "../../../cli/kube";

const at = new Date("2026-03-01T12:00:00Z");

/** A test double of the API server's reader: answers by the first pattern that matches, and fails for the rest. */
const kube = (answers: [RegExp, unknown][], date = at): KubeReader => ({
  get: <T>(path: string) => {
    const found = answers.find(([pattern]) => pattern.test(path));
    if (!found) return Promise.reject(new KubeError(404, `no answer for ${path}`));
    return found[1] instanceof Error ? Promise.reject(found[1]) : Promise.resolve(found[1] as T);
  },
  date: () => Promise.resolve(date),
});

/** An authority's certificate that ends after so many days. */
const authority = (days: number): string =>
  execFileSync(
    "openssl",
    ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null"].concat([
      ...["-subj", "/CN=intermediate", "-days", String(days)],
    ]),
    { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
  );

const keeper = (state: KeeperStatus["state"]): [RegExp, unknown] => [
  /vault-bootstrap-0:8300\/proxy\/status$/,
  { state, detail: "seen by the keeper", since: at.toISOString() } satisfies KeeperStatus,
];
const health = (values: object, server = new Date()): [RegExp, unknown] => [
  /vault-0:8200\/proxy\/v1\/sys\/health/,
  { initialized: true, sealed: false, standby: false, server_time_utc: server.getTime() / 1000, ...values },
];
const intermediate = (days: number): [RegExp, unknown] => [/\/v1\/pki\/ca\/pem$/, authority(days)];

describe("doctor", () => {
  describe("on Vault", () => {
    const now = new Date();
    const levels = async (...answers: [RegExp, unknown][]) =>
      (await checkVault(kube(answers), 1, now)).map(({ check, level }) => `${check}: ${level}`);

    it("is content with two unsealed Vaults and a young intermediate", async () => {
      assert.deepEqual(await levels(keeper("unsealed"), health({}), intermediate(400)), [
        "bootstrap Vault: ok",
        "Vault vault-0: ok",
        "intermediate authority: ok",
      ]);
    });

    it("names a sealed primary", async () => {
      const [, primary] = await checkVault(kube([keeper("unsealed"), health({ sealed: true })]), 1, now);
      assert.equal(primary?.level, "fail");
      assert.match(primary?.found ?? "", /^sealed: .*Transit/);
      assert.equal(primary?.runbook, "docs/runbooks/vault-sealed.md");
    });

    it("tells a wrong unseal key, a missing one and a lost volume apart", async () => {
      const found = async (state: KeeperStatus["state"]) => (await checkVault(kube([keeper(state)]), 1, now))[0];
      assert.match((await found("wrong-unseal-key"))?.found ?? "", /unseal key in its Secret is refused/);
      assert.match((await found("unseal-key-missing"))?.found ?? "", /Secret with its unseal key is gone/);
      assert.match((await found("storage-lost"))?.remedy ?? "", /Do not restart the primary/);
    });

    it("names a bootstrap Vault that is gone", async () => {
      const [bootstrap] = await checkVault(kube([health({}), intermediate(400)]), 1, now);
      assert.equal(bootstrap?.found, "its pod is not there");
      assert.equal(bootstrap?.runbook, "docs/runbooks/vault-bootstrap-lost.md");
    });

    it("warns of an intermediate that nears its end, and names one that has expired", async () => {
      const near = await checkVault(kube([keeper("unsealed"), health({}), intermediate(30)]), 1, now);
      assert.equal(near[2]?.level, "warn");
      const later = new Date(now.getTime() + 40 * 86_400_000);
      const past = await checkVault(kube([keeper("unsealed"), health({}, later), intermediate(30)]), 1, later);
      assert.equal(past[2]?.level, "fail");
      assert.match(past[2]?.found ?? "", /^expired 1\d days ago/);
    });

    it("names a clock that differs", async () => {
      const jumped = health({}, new Date(now.getTime() - 3_600_000));
      const [, primary] = await checkVault(kube([keeper("unsealed"), jumped, intermediate(400)]), 1, now);
      assert.match(primary?.found ?? "", /clock differs by 3600 s/);
    });
  });

  describe("on clocks", () => {
    const lease = (secondsAgo: number): [RegExp, unknown] => [
      /kube-node-lease/,
      {
        items: [
          {
            metadata: { name: "server-1" },
            spec: { renewTime: new Date(at.getTime() - secondsAgo * 1000).toISOString() },
          },
        ],
      },
    ];
    const judge = (secondsAgo: number, here: Date) => checkClocks(kube([lease(secondsAgo)]), () => here);

    it("is content when they agree", async () => {
      assert.deepEqual(
        (await judge(8, at)).map(({ level }) => level),
        ["ok", "ok"],
      );
    });
    it("says which way this computer's is wrong", async () => {
      const [ahead] = await judge(8, new Date(at.getTime() + 60_000));
      assert.match(ahead?.found ?? "", /ahead of the API server's/);
      const [behind] = await judge(8, new Date(at.getTime() - 60_000));
      assert.match(behind?.found ?? "", /behind the API server's/);
    });
    it("finds a node that is ahead, and one that is silent", async () => {
      assert.match((await judge(-120, at))[1]?.found ?? "", /120 s ahead/);
      assert.match((await judge(300, at))[1]?.found ?? "", /300 s old/);
    });
  });

  describe("on the cluster", () => {
    const none = { items: [] };
    const cluster = (changes: Record<string, unknown>) =>
      checkCluster(
        kube([
          [/nodes$/, changes["nodes"] ?? none],
          [/pods$/, changes["pods"] ?? none],
          [/replicasets$/, changes["sets"] ?? none],
          [/persistentvolumeclaims$/, changes["claims"] ?? none],
        ]),
        at,
      );
    const pod = (status: object) => ({
      items: [
        {
          metadata: { name: "api-1", namespace: "app", creationTimestamp: "2026-03-01T11:00:00Z" },
          status: { phase: "Running", ...status },
        },
      ],
    });

    it("names an API server that does not answer", async () => {
      const [only] = await checkCluster(kube([[/./, new Error("refused")]]), at);
      assert.equal(only?.check, "API server");
      assert.equal(only?.level, "fail");
    });
    it("names a node that is not ready, and one under pressure", async () => {
      const node = (type: string, status: string, ready = "True") => ({
        items: [
          {
            metadata: { name: "server-1" },
            spec: {},
            status: {
              conditions: [
                { type: "Ready", status: ready },
                { type, status },
              ],
            },
          },
        ],
      });
      assert.match((await cluster({ nodes: node("DiskPressure", "False", "False") }))[0]?.found ?? "", /not Ready/);
      assert.match((await cluster({ nodes: node("DiskPressure", "True") }))[0]?.found ?? "", /DiskPressure/);
      assert.equal((await cluster({ nodes: node("DiskPressure", "False") }))[0]?.level, "ok");
    });
    it("names what was killed for memory and what crashes", async () => {
      const killed = {
        containerStatuses: [
          { name: "api", restartCount: 3, lastState: { terminated: { reason: "OOMKilled", exitCode: 137 } } },
        ],
      };
      assert.match((await cluster({ pods: pod(killed) }))[0]?.found ?? "", /killed for memory, 3 restarts/);
      const crash = {
        containerStatuses: [
          {
            name: "api",
            restartCount: 9,
            state: { waiting: { reason: "CrashLoopBackOff" } },
            lastState: { terminated: { reason: "Error", exitCode: 2 } },
          },
        ],
      };
      assert.match((await cluster({ pods: pod(crash) }))[0]?.found ?? "", /exit code 2/);
    });
    it("counts what is well instead of listing it", async () => {
      const fine = pod({ conditions: [{ type: "Ready", status: "True" }] });
      assert.deepEqual(
        (await cluster({ pods: fine })).map(({ check, found }) => `${check}: ${found}`),
        ["pods: 1 looked at", "volume claims: 0 looked at"],
      );
    });
    it("names pods that the API server refuses to take", async () => {
      const condition = { type: "ReplicaFailure", status: "True", message: 'pods "api-" is forbidden: exceeded quota' };
      const sets = (status: object) => ({ items: [{ metadata: { name: "api-1", namespace: "app" }, status }] });
      const [refused] = (await cluster({ sets: sets({ conditions: [condition] }) })).filter(
        ({ level }) => level !== "ok",
      );
      assert.equal(refused?.check, "pods of app/api-1");
      assert.match(refused?.found ?? "", /exceeded quota/);
      assert.ok((await cluster({ sets: sets({}) })).every(({ level }) => level === "ok"));
    });
  });

  it("says after the table what to do about what is wrong, and nothing of the rest", () => {
    const text = report([
      { check: "disk", level: "ok", found: "40 GiB free" },
      {
        check: "Vault vault-0",
        level: "fail",
        found: "sealed",
        remedy: "Mend the bootstrap Vault.",
        runbook: "docs/x.md",
      },
    ]);
    assert.match(text, /ok +disk +40 GiB free/);
    assert.match(text, /Vault vault-0: sealed\n {2}Mend the bootstrap Vault\.\n {2}see docs\/x\.md$/);
  });
});
