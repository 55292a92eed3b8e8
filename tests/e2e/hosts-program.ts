import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { openArtifacts } from "../../artifacts";
import { K3sCluster } from "../../components/cluster";
import { makeTarget, targetSchema } from "../../components/host";

/** The program of the cluster tests: hosts, a cluster on them and one bundle of definitions, nothing else. */
const artifacts = openArtifacts();
const target = targetSchema.parse(JSON.parse(process.env["GROUNDWORK_E2E_TARGET"] ?? "{}"));
const { hosts, api } = makeTarget(target, { artifacts });
const k3s = new K3sCluster("k3s", { hosts, artifacts, ...(api === undefined ? {} : { api }) });

const manifest = process.env["GROUNDWORK_E2E_MANIFEST"];
const crds = manifest === undefined ? undefined : { path: manifest, sha256: sha256(manifest) };

export const nodes = k3s.ready;
export const apiServer = k3s.apiServer;
export const kubeconfig = k3s.kubeconfig;
export const established = crds === undefined ? undefined : k3s.installCrds("e2e-crds", crds);

function sha256(file: string): string {
  return createHash("sha256").update(fs.readFileSync(file)).digest("hex");
}
