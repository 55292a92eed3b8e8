import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import type { Artifact } from "../../artifacts/types";
import { cacheDir } from "../../cli/paths";

/**
 * A test double: the same Kubernetes under another label. One release of K3s is built here, and an upgrade needs two; so every
 * mention of the release in the stand-in's binary is overwritten by one of the same length. Nothing else differs, so it says
 * nothing on what another Kubernetes would do, and everything on how nodes are taken from one to the other. Kept in the artefact
 * cache by its content, where machines see it.
 */
export function relabelledK3s(k3s: Artifact, label: string): Artifact {
  if (k3s.parts !== "stand-in")
    throw new Error("only the stand-in's label can be overwritten: official K3s is compressed");
  if (label.length !== k3s.version.length) throw new Error(`${label} is not as long as ${k3s.version}`);
  const folder = path.join(cacheDir(), "doubles", `${k3s.sha256.slice(0, 16)}-${label.slice(1).replace("+", "-")}`);
  const file = path.join(folder, "k3s");
  if (!fs.existsSync(file)) {
    const bytes = fs.readFileSync(k3s.path);
    const [old, fresh] = [Buffer.from(k3s.version), Buffer.from(label)];
    for (let at = bytes.indexOf(old); at >= 0; at = bytes.indexOf(old, at + old.length)) fresh.copy(bytes, at);
    fs.mkdirSync(folder, { recursive: true });
    fs.writeFileSync(`${file}.new`, bytes, { mode: 0o755 });
    fs.renameSync(`${file}.new`, file);
  }
  const sha256 = createHash("sha256").update(fs.readFileSync(file)).digest("hex");
  return { ...k3s, version: label, path: file, sha256, source: "a double: the same Kubernetes under another label" };
}

/** A K3s that does not start, under any label: for what happens when a node does not become healthy. */
export function brokenK3s(k3s: Artifact, label: string): Artifact {
  const folder = path.join(cacheDir(), "doubles", `broken-${label.slice(1).replace("+", "-")}`);
  const file = path.join(folder, "k3s");
  fs.mkdirSync(folder, { recursive: true });
  const text = `#!/bin/bash
case "$1" in
  server|agent) echo "this double of K3s does not start" >&2; exit 1 ;;
  --version) echo 'k3s version ${label} (double)' ;;
  *) exec -a k3s /usr/local/bin/k3s.previous "$@" ;;
esac
`;
  fs.writeFileSync(file, text, { mode: 0o755 });
  return {
    ...k3s,
    version: label,
    path: file,
    sha256: createHash("sha256").update(text).digest("hex"),
    size: text.length,
  };
}
