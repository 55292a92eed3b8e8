import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { root } from "../../cli/paths";

/** What a copy shares with the checkout, or has no use for. */
const leftOut = [".git", ".groundwork", "node_modules"];

/**
 * A copy of the checkout's sources in which something may be changed: a stack's file that a verb writes into, or the catalogue. The
 * npm modules are the checkout's own.
 */
export class Checkout {
  readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-checkout-"));

  constructor() {
    for (const name of fs.readdirSync(root).filter((one) => !leftOut.includes(one))) {
      fs.cpSync(path.join(root, name), path.join(this.folder, name), { recursive: true, verbatimSymlinks: true });
    }
    fs.symlinkSync(path.join(root, "node_modules"), path.join(this.folder, "node_modules"));
  }

  read(file: string): string {
    return fs.readFileSync(path.join(this.folder, file), "utf8");
  }

  write(file: string, text: string): void {
    fs.writeFileSync(path.join(this.folder, file), text);
  }

  /** Puts another text in the place of one that stands there once. */
  replace(file: string, old: string, fresh: string): void {
    const parts = this.read(file).split(old);
    assert.equal(parts.length, 2, `${file} has ${parts.length - 1} times: ${old}`);
    this.write(file, parts.join(fresh));
  }

  /**
   * Adds a K3s release to the catalogue, which is a test double: see `relabelledK3s`. It is not fetched; the program finds it where
   * it asks for that release.
   */
  addRelease(version: string): void {
    this.replace(
      "artifacts/catalogue/cluster.ts",
      "readonly string[] = [K3S]",
      `readonly string[] = [K3S, "${version}"]`,
    );
    // What is fetched is what the double is made of, and its images.
    this.replace("stacks/parts.ts", "k3sEntries(chooseRelease(cluster.version))", "k3sEntries()");
    this.replace(
      "artifacts/index.ts",
      "  return {\n    file: get,",
      `  const { k3sEntries } = require("./catalogue/cluster") as typeof import("./catalogue/cluster");
  const { relabelledK3s } = require("../tests/support/relabelled-k3s") as typeof import("../tests/support/relabelled-k3s");
  const { binary, images } = k3sEntries("${version}");
  const double = (name: string): Artifact | ImageArtifact => {
    if (name === binary) return { ...relabelledK3s(get("k3s"), "${version}"), name };
    return name === images ? { ...get("k3s-airgap"), name } : get(name);
  };
  return {
    file: double,`,
    );
    this.replace(
      "artifacts/index.ts",
      "Object.values(artifacts).sort",
      "[...Object.values(artifacts), double(binary), double(images)].sort",
    );
  }

  close(): void {
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}
