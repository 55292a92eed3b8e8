import { strict as assert } from "node:assert";
import * as fc from "fast-check";
import { ContainerArgs, planPod, PodPlan } from "../../components/workload";
import { FakeArtifacts } from "./fixtures/artifacts";
import { someResources } from "./fixtures/platform";

const image = new FakeArtifacts().image("api");

const container: ContainerArgs = { image, command: ["/bin/server"], resources: someResources };

const plan = (changes: Partial<PodPlan> = {}): PodPlan => ({
  labels: { "app.kubernetes.io/name": "web" },
  selector: { "app.kubernetes.io/name": "web" },
  identity: { uid: 65532, gid: 65532 },
  priorityClass: "groundwork-application",
  gracePeriod: 30,
  containers: { web: container },
  ...changes,
});

const podOf = (changes: Partial<PodPlan> = {}): any => planPod(plan(changes)).spec;

describe("the plan of a pod", () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9]{0,10}$/);
  const folder = fc.stringMatching(/^(\/[A-Za-z0-9._-]{1,30}){1,4}$/).filter((path) => /[A-Za-z0-9]/.test(path));
  const containers = fc.dictionary(
    name,
    fc.record({
      args: fc.array(fc.string()),
      writable: fc.uniqueArray(folder, {
        maxLength: 3,
        selector: (path) => path.toLowerCase().replace(/[^a-z0-9]/g, ""),
      }),
    }),
    { minKeys: 1, maxKeys: 3 },
  );

  it("hardens every container, whatever it is made of", () => {
    fc.assert(
      fc.property(containers, (given) => {
        const pod = podOf({
          containers: Object.fromEntries(
            Object.entries(given).map(([key, { args, writable }]) => [
              key,
              { ...container, args, writable: writable.map((path) => ({ path, size: "16Mi" as const })) },
            ]),
          ),
        });
        assert.equal(pod.securityContext.runAsNonRoot, true);
        assert.equal(pod.automountServiceAccountToken, false);
        for (const { securityContext, image, resources } of pod.containers) {
          assert.equal(securityContext.allowPrivilegeEscalation, false);
          assert.equal(securityContext.readOnlyRootFilesystem, true);
          assert.deepEqual(securityContext.capabilities, { drop: ["ALL"] });
          assert.deepEqual(securityContext.seccompProfile, { type: "RuntimeDefault" });
          assert.ok(securityContext.runAsUser > 10_000 && securityContext.runAsGroup > 10_000);
          assert.match(image, /@sha256:[0-9a-f]{64}$/);
          for (const side of [resources.requests, resources.limits]) {
            assert.deepEqual(Object.keys(side).sort(), ["cpu", "ephemeral-storage", "memory"]);
          }
        }
      }),
    );
  });

  it("mounts only volumes that it has, under names that Kubernetes takes", () => {
    fc.assert(
      fc.property(containers, fc.uniqueArray(folder, { maxLength: 3 }), (given, secrets) => {
        const paths = new Set(secrets.map((path) => path.toLowerCase().replace(/[^a-z0-9]/g, "")));
        fc.pre(paths.size === secrets.length);
        const pod = podOf({
          files: secrets.map((path) => ({ path: `/mnt${path}`, from: { secret: "login" } })),
          containers: Object.fromEntries(
            Object.entries(given).map(([key, { writable }]) => [
              key,
              { ...container, writable: writable.map((path) => ({ path: `/var${path}`, size: "16Mi" as const })) },
            ]),
          ),
        });
        const volumes = (pod.volumes ?? []).map((volume: any) => volume.name);
        assert.equal(new Set(volumes).size, volumes.length);
        for (const volume of volumes) assert.match(volume, /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
        for (const { volumeMounts } of pod.containers) {
          for (const mount of volumeMounts ?? []) assert.ok(volumes.includes(mount.name), `${mount.name} is no volume`);
        }
      }),
    );
  });

  it("bounds every writable folder", () => {
    const [volume] = podOf({
      containers: { web: { ...container, writable: [{ path: "/tmp", size: "32Mi", inMemory: true }] } },
    }).volumes;
    assert.deepEqual(volume, { name: "web-tmp", emptyDir: { sizeLimit: "32Mi", medium: "Memory" } });
  });

  it("shows the asked keys of a secret, readable by the pod's group alone", () => {
    const [volume] = podOf({ files: [{ path: "/etc/db", from: { secret: "login" }, keys: ["password"] }] }).volumes;
    assert.deepEqual(volume, {
      name: "etc-db",
      secret: { secretName: "login", items: [{ key: "password", path: "password" }], defaultMode: 0o440 },
    });
  });

  it("mounts a token only for a service account of its own", () => {
    const pod = podOf({ serviceAccount: "web" });
    assert.equal(pod.serviceAccountName, "web");
    assert.equal(pod.automountServiceAccountToken, true);
  });

  it("refuses two volumes at one place", () => {
    const file = { path: "/etc/db", from: { secret: "login" } };
    assert.throws(() => podOf({ files: [file, file] }), /two volumes of one pod are called etc-db/);
  });

  it("probes faster while a program starts than afterwards", () => {
    const http = { path: "/healthz", port: 8080 };
    const probes = { startup: { http }, liveness: { http }, readiness: { http } };
    const [web] = podOf({ containers: { web: { ...container, probes } } }).containers;
    assert.equal(web.startupProbe.periodSeconds, 1);
    assert.equal(web.readinessProbe.periodSeconds, 5);
    assert.equal(web.livenessProbe.periodSeconds, 10);
    assert.deepEqual(web.livenessProbe.httpGet, http);
  });
});
