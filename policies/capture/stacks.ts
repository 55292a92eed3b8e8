import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { parse } from "yaml";
import { Cache, Index } from "../../artifacts/cache";
import { catalogue, Entry } from "../../artifacts/catalogue";
import { CaptureOptions, captureProgram } from "./capture";
import { Graph } from "./graph";
import { canary, Mock } from "./mocks";

const root = path.resolve(__dirname, "..", "..");
/** The path of an upstream's manifest, by the artefact's name. */
export type Manifests = (name: string) => string;

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** The configuration of a stack: the project's file and the stack's, as the engine hands it to the program. */
function configOf(stack: string): Record<string, unknown> {
  const read = (file: string) =>
    (parse(fs.readFileSync(path.join(root, file), "utf8")) as { config?: Record<string, unknown> }).config ?? {};
  const project = Object.entries(read("Pulumi.yaml")).map(([key, value]) => [key, (value as { value: unknown }).value]);
  return { ...(Object.fromEntries(project) as Record<string, unknown>), ...read(`Pulumi.${stack}.yaml`) };
}

/** An artefact cache that has everything of the catalogue, and nothing in it. */
function emptyCache(folder: string, manifests: Manifests): void {
  const file = path.join(folder, "empty");
  fs.writeFileSync(file, "");
  const artifact = ({ name, version, kind, image }: Entry) => ({
    name,
    version,
    parts: "official" as const,
    path: kind === "manifest" ? manifests(name) : file,
    sha256: sha256(name),
    size: 0,
    source: "a captured run's cache",
    key: sha256(name),
    ...(image && { ref: `${image.name}:${image.tag}@sha256:${sha256(name)}` }),
  });
  const artifacts: Index["artifacts"] = Object.fromEntries(catalogue.map((entry) => [entry.name, artifact(entry)]));
  new Cache(folder).writeIndex({ checkout: root, artifacts });
}

/** What machines and clusters answer: see the scripts of components/host and components/cluster. */
const answers: readonly [RegExp, string][] = [
  [/-machine$/, JSON.stringify({ address: "10.41.0.10", hostKey: "ssh-ed25519 AAAA" })],
  [/-boot$/, "machine"],
  [/-check$/, JSON.stringify({ sharesKernel: false, hostKey: "ssh-ed25519 AAAA" })],
  [/-kubeconfig$/, `identity-of-the-cluster\n{"users":[{"name":"${canary}"}]}`],
  [/-install$/, "server-1 is Ready"],
];
const answer: Mock = ({ type, name }) => {
  const stdout = type.startsWith("command:") ? answers.find(([end]) => end.test(name))?.[1] : undefined;
  return stdout === undefined ? undefined : { stdout };
};

/** The project's own modules are loaded anew for each stack: some read the stack's name when they are loaded. */
function forgetModules(): void {
  for (const file of Object.keys(require.cache)) {
    const own = file.startsWith(root) && !file.includes(`${path.sep}node_modules${path.sep}`);
    if (own && !file.includes(`${path.sep}tests${path.sep}`) && !file.includes(`${path.sep}policies${path.sep}`)) {
      delete require.cache[file];
    }
  }
}

/** Runs index.ts with the configuration of a stack's file, with a cache and a state folder of its own. */
export async function captureStack(
  stack: string,
  options: Partial<CaptureOptions>,
  manifests: Manifests,
): Promise<Graph> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-graph-"));
  const before = { ...process.env };
  emptyCache(folder, manifests);
  Object.assign(process.env, { GROUNDWORK_CACHE_DIR: folder, GROUNDWORK_STATE_DIR: path.join(folder, "state") });
  forgetModules();
  try {
    const main = () => import(path.join(root, "index.ts"));
    return await captureProgram(main, {
      project: "groundwork",
      stack,
      config: configOf(stack),
      mock: answer,
      ...options,
    });
  } finally {
    for (const key of ["GROUNDWORK_CACHE_DIR", "GROUNDWORK_STATE_DIR"]) {
      if (before[key] === undefined) delete process.env[key];
      else process.env[key] = before[key];
    }
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
