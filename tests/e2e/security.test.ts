import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import type { Finding } from "../../cli/doctor";
import type { Status } from "../../cli/status";
import { wrongAnswers } from "../../components/identity";
import { etcdFindings, fileFindings, judge, runKubeBench, witnessFindings } from "../support/cis";
import { Guesser } from "../support/guesser";
import { hostFindings, secretsEncryptionFindings } from "../support/host-security";
import { client, eventually } from "../support/https";
import { metrics, postgresLogin, valkeyPing } from "../support/in-pod";
import { Load } from "../support/load";
import { leftBehind, MachineSnapshot, snapshot } from "../support/machine";
import { externalRoundTrip, sealedRoundTrip, withRootToken } from "../support/secret-round-trips";
import { TrustStack } from "../support/trust-stack";

/** What the stack's file says; a stranger's address on the same bridge. */
const machine = { address: "10.48.0.10", gateway: "10.48.0.1", bridge: "gwtru0", stranger: "10.48.0.66/24" };

/** Seconds within which both Vaults have to be open again, whatever was restarted. */
const unsealLimit = 60;

/** The stack `trust` on a real machine, from nothing to nothing. The steps build on each other and run in this order. */
describe("trust, on a real machine", function () {
  this.timeout(12 * 60_000);
  this.bail(true);

  const trust = new TrustStack("trust");
  let untouched: MachineSnapshot;
  let api: ReturnType<typeof client>;
  let guesser: Guesser | undefined;

  before(() => {
    untouched = snapshot();
  });
  after("whatever happened, nothing of the stack stays", async () => {
    guesser?.remove();
    await trust.end();
  });

  it("comes up, and everything says that it is ready", async () => {
    const up = await trust.run("up", "--yes");
    assert.equal(up.code, 0, up.stdout.slice(-4000) + up.stderr.slice(-4000));
    const status = JSON.parse((await trust.run("status", "--json")).stdout) as Status;
    const names = status.components.map(({ name }) => name);
    for (const name of ["vault", "vault-bootstrap", "cert-manager", "cache", "sealed-secrets", "external-secrets"]) {
      assert.ok(names.includes(name), `${name} is not in the status`);
    }
    for (const { name, ready, proof } of status.components) assert.equal(ready, true, `${name}: ${proof}`);
    assert.deepEqual(
      status.certificates.filter(({ warning }) => warning !== undefined),
      [],
    );
    assert.ok(status.certificates.some(({ source, daysLeft }) => source === "cert-manager" && (daysLeft ?? 0) > 20));
    api = trust.site("api");
  });

  it("serves a row over a certificate of Vault's", async () => {
    const made = await api<{ id: string }>("/items", { method: "POST", body: { name: "trusted", quantity: 1 } });
    assert.equal(made.status, 201);
    assert.equal((await api(`/items/${made.body.id}`)).status, 200);
    const stranger = client(trust.report.endpoints["api"]!, trust.report.ingressAddress, "");
    await assert.rejects(stranger("/healthz"), /self-signed|unable to verify|unable to get/i);
  });

  it("takes connections to data only over TLS with a certificate", () => {
    const from = (program: string) => trust.inApi(program);
    const [database, cache] = ["app-db-rw.app.svc", "cache.app.svc"];
    assert.match(from(postgresLogin(database, "plain")), /28000.*(no encryption|rejects connection)/);
    assert.match(from(postgresLogin(database, "tls")), /28000.*certificate/);
    assert.match(from(postgresLogin(database, "certificate")), /^R/, "with a certificate it is asked for a password");
    assert.match(from(valkeyPing(cache, "plain")), /ECONNRESET|closed/);
    assert.match(from(valkeyPing(cache, "tls")), /certificate required|ECONNRESET|handshake failure/i);
    assert.match(from(valkeyPing(cache, "certificate")), /NOAUTH/, "with a certificate it is asked for a password");
  });

  it("keeps its secrets out of state, logs, objects, arguments and environments", () => {
    const secrets = trust.canaries();
    assert.ok(Object.keys(secrets).length >= 8, Object.keys(secrets).join());
    const places = trust.placesWithoutSecrets();
    for (const [place, text] of Object.entries(places)) assert.ok(text.length > 500, `${place} was read`);
    for (const [name, secret] of Object.entries(secrets)) {
      assert.ok(secret.length >= 16, `${name} was found`);
      const found = Object.entries(places).filter(([, text]) => text.includes(secret));
      assert.deepEqual(
        found.map(([place]) => `${name} stands in ${place}`),
        [],
      );
    }
  });

  it("rotates logins and certificates under load without a failed request", async () => {
    const count = (text: string) =>
      Number(
        /^groundwork_api_database_credential_reloads_total\{[^}]*outcome="rotated"[^}]*\} (\d+)/m.exec(text)?.[1] ?? 0,
      );
    const end = (text: string) =>
      Number(/^groundwork_api_client_certificate_not_after_seconds\S* (\S+)/m.exec(text)?.[1]);
    const before = trust.inApi(metrics);
    assert.ok(end(before) > 0, before.slice(0, 2000));
    const load = new Load(api, { seconds: 240, pause: 20 });
    try {
      await eventually(
        200,
        () => {
          const now = trust.inApi(metrics);
          assert.ok(count(now) >= count(before) + 2, `logins rotated ${count(now)} times, ${count(before)} before`);
          assert.ok(end(now) > end(before), "the certificate is still the one of before");
          return Promise.resolve();
        },
        5000,
      );
    } finally {
      const { requests, failures } = await load.stop();
      assert.deepEqual(failures, [], `of ${requests} requests`);
      assert.ok(requests > 100, `${requests} requests`);
    }
  });

  it("lets each group do what the table says, and nothing else", async () => {
    const ask = (body: object) =>
      trust.kube.request<{ status: { allowed: boolean } }>(
        "POST",
        "/apis/authorization.k8s.io/v1/subjectaccessreviews",
        body,
      );
    assert.deepEqual(await wrongAnswers(ask), []);
  });

  it("refuses by hand what the policy pack refuses in the graph", async () => {
    const pod = (change: object) => ({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "by-hand", namespace: "app", ...change },
      spec: { containers: [{ name: "main", image: "docker.io/library/busybox:latest" }] },
    });
    const tries: [string, object, RegExp][] = [
      ["/api/v1/namespaces/app/pods", pod({}), /PodSecurity|groundwork/],
      [
        "/api/v1/namespaces/app/services",
        {
          apiVersion: "v1",
          kind: "Service",
          metadata: { name: "by-hand" },
          spec: { type: "NodePort", ports: [{ port: 80 }] },
        },
        /no-node-ports/,
      ],
      [
        "/apis/rbac.authorization.k8s.io/v1/namespaces/app/roles",
        {
          apiVersion: "rbac.authorization.k8s.io/v1",
          kind: "Role",
          metadata: { name: "by-hand" },
          rules: [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }],
        },
        /no-rbac-wildcards/,
      ],
    ];
    for (const [path, object, reason] of tries) {
      await assert.rejects(trust.kube.request("POST", `${path}?dryRun=All`, object), reason);
    }
  });

  it("runs on a machine that keeps the lists of CIS, with a reason for each check that does not pass", () => {
    const neverBanned = [machine.gateway];
    assert.deepEqual(hostFindings(trust.on, { fail2ban: true, upgrades: true, neverBanned }), []);
    assert.deepEqual(secretsEncryptionFindings(trust.on), []);
    assert.deepEqual([...fileFindings(trust.on), ...etcdFindings(trust.on)], []);
    assert.deepEqual(Object.values(witnessFindings(trust.on)).flat(), []);
    assert.deepEqual(judge(runKubeBench(trust.on)), []);
  });

  it("bans who guesses, and not who manages it", async () => {
    guesser = new Guesser(machine.bridge, machine.stranger);
    const attempts: string[] = [];
    while (attempts.length < 12 && attempts.at(-1) !== "no answer") attempts.push(guesser.guess(machine.address, 3));
    assert.equal(attempts[0], "refused");
    assert.equal(attempts.at(-1), "no answer", attempts.join());
    assert.equal(guesser.guessAsOperator(machine.address), "refused");
    guesser.remove();
  });

  it("makes Secrets of what was sealed and of what Vault has", async () => {
    const { cluster, groundwork } = trust;
    const sealed = await sealedRoundTrip(groundwork, cluster);
    const external = await withRootToken(groundwork, cluster, (vault) => externalRoundTrip(cluster, vault));
    process.stderr.write(`    milliseconds: ${JSON.stringify({ sealed, external })}\n`);
  });

  it("hands its recovery keys over, rotates them, and takes and restores a snapshot", async () => {
    const said = async (...line: string[]) => {
      const done = await trust.run("vault", ...line);
      assert.equal(done.code, 0, `${line.join(" ")}: ${done.stderr.slice(-2000)}`);
      return done.stdout + done.stderr;
    };
    const handed = await said("hand-over");
    const keys = trust.recoveryKeys();
    assert.equal(fs.statSync(trust.recoveryKeysFile).mode & 0o777, 0o600);
    for (const key of keys) assert.ok(!handed.includes(key));
    assert.deepEqual(Object.keys(trust.secret("vault", "vault-recovery")), ["handedOver"]);
    await said("rotate-recovery-keys");
    assert.notDeepEqual(trust.recoveryKeys(), keys);
    const file = `${trust.stateDir}/vault.snap`;
    await said("snapshot", file);
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    await said("restore", file, "--yes");
    await trust.unsealed(unsealLimit);
    await said("status");
  });

  it("is backed up whole, with nothing readable in it, and is not restored over itself", async () => {
    const store = `${trust.stateDir}/store`;
    const taken = await trust.run("backup", "--to", store);
    assert.equal(taken.code, 0, taken.stderr.slice(-2000));
    assert.match((await trust.run("backup", "verify", "--to", store)).stderr, /is whole: \d+ parts, [1-9]\d* rows/);
    const files = trust.groundwork.stateFiles().filter((file) => file.startsWith(store));
    const text = files.map((file) => fs.readFileSync(file, "latin1")).join("\n");
    assert.ok(text.length > 100_000, `${files.length} files`);
    // What was handed over left a time behind, which is none.
    const secrets = Object.entries(trust.canaries()).filter(([, secret]) => secret.length >= 16);
    assert.ok(secrets.length >= 7, `${secrets.length} secrets`);
    for (const [name, secret] of secrets) assert.ok(!text.includes(secret), name);
    const refused = await trust.run("restore", "--from", store);
    assert.deepEqual([refused.code, /the state knows a cluster/.test(refused.stderr)], [1, true], refused.stderr);
  });

  it("opens both Vaults by itself after their pods, the node and the machine were restarted", async () => {
    const times: Record<string, number> = {};
    const restart = async (what: string, act: () => void) => {
      act();
      const began = Date.now();
      await trust.unsealed(unsealLimit);
      times[what] = Math.round((Date.now() - began) / 100) / 10;
    };
    await restart("pods", () => {
      trust.kubectl("-n", "vault-bootstrap", "delete", "pod", "vault-bootstrap-0", "--grace-period=0", "--force");
      trust.kubectl("-n", "vault", "delete", "pod", "vault-0", "--grace-period=0", "--force");
    });
    await restart("node", () => trust.on("systemctl", "restart", "k3s"));
    await restart("machine", () => trust.powerCut("server-1"));
    process.stderr.write(`    seconds to unsealed: ${JSON.stringify(times)}\n`);
    await eventually(120, async () => assert.equal((await api("/readyz")).status, 200));
  });

  it("has a doctor that names a lost bootstrap Vault, and finds nothing once it is back", async () => {
    const diagnosis = async () => JSON.parse((await trust.run("doctor", "--json")).stdout) as Finding[];
    const failed = (findings: Finding[]) =>
      findings.filter(({ level }) => level === "fail").map(({ check, found }) => `${check}: ${found}`);
    await eventually(120, async () => assert.deepEqual(failed(await diagnosis()), []), 5000);
    const scale = (replicas: number) =>
      trust.kubectl("-n", "vault-bootstrap", "scale", "statefulset/vault-bootstrap", `--replicas=${replicas}`);
    scale(0);
    await eventually(
      60,
      async () =>
        assert.ok(failed(await diagnosis()).some((line) => line.startsWith("bootstrap Vault: its pod is not"))),
      3000,
    );
    scale(1);
    await trust.unsealed(unsealLimit);
    await eventually(120, async () => assert.deepEqual(failed(await diagnosis()), []), 5000);
  });

  it("leaves nothing behind", async () => {
    const destroyed = await trust.run("destroy", "--yes");
    assert.equal(destroyed.code, 0, destroyed.stdout.slice(-3000) + destroyed.stderr.slice(-3000));
    const ours = new RegExp(`${trust.stateDir}|k3s|systemd-nspawn|${machine.bridge}`);
    assert.deepEqual(leftBehind(untouched, snapshot(), ours), {});
  });
});
