import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { openArtifacts } from "../../artifacts";
import { k3sEntries } from "../../artifacts/catalogue/cluster";
import type { Artifacts } from "../../artifacts/types";
import { clusterSchema, K3sCluster } from "../../components/cluster";
import { makeTarget, targetSchema } from "../../components/host";
import { brokenK3s, relabelledK3s } from "../support/relabelled-k3s";

/** The program of the cluster tests: hosts, a cluster on them and one bundle of definitions, nothing else. */
const settingsOf = (name: string): unknown => JSON.parse(process.env[name] ?? "{}");
const target = targetSchema.parse(settingsOf("GROUNDWORK_E2E_TARGET"));
const cluster = clusterSchema.parse(settingsOf("GROUNDWORK_E2E_CLUSTER"));
const images = process.env["GROUNDWORK_E2E_IMAGES"]?.split(",");
const artifacts = withDoubles(openArtifacts(), cluster.version);
const { hosts, api } = makeTarget(target, { artifacts });
const k3s = new K3sCluster("k3s", {
  ...{ hosts, artifacts, ...cluster },
  ...(images === undefined ? {} : { images }),
  ...(api === undefined ? {} : { api }),
});

const manifest = process.env["GROUNDWORK_E2E_MANIFEST"];
const crds = manifest === undefined ? undefined : { path: manifest, sha256: sha256(manifest) };

export const nodes = k3s.ready;
export const apiServer = k3s.apiServer;
export const kubeconfig = k3s.kubeconfig;
export const established = crds === undefined ? undefined : k3s.installCrds("e2e-crds", crds);

function sha256(file: string): string {
  return createHash("sha256").update(fs.readFileSync(file)).digest("hex");
}

/** The cache, in which a release that the catalogue does not have is a double. */
function withDoubles(real: Artifacts, version?: string): Artifacts {
  const names = k3sEntries(version);
  if (version === undefined || names.binary === "k3s") return real;
  const double = process.env["GROUNDWORK_E2E_DOUBLE"] === "broken" ? brokenK3s : relabelledK3s;
  return {
    file: (name) =>
      name === names.binary
        ? double(real.file("k3s"), version)
        : real.file(name === names.images ? "k3s-airgap" : name),
    image: (name) => real.image(name),
    manifest: (name) => real.manifest(name),
    list: () => real.list(),
  };
}
