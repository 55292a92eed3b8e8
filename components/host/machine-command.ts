import * as path from "node:path";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { Artifact } from "../../artifacts/types";
import { cacheDir } from "../../cli/paths";

/** A machine of this computer as a resource: the driver's tool makes or repairs it, and takes it away. */
export function machineCommand(
  name: string,
  driver: "nspawn" | "docker" | "multipass",
  spec: object,
  opts: pulumi.CustomResourceOptions,
): command.local.Command {
  // Relative to the project's root, which is where the engine starts its providers; so the state holds no absolute path.
  const tool = `node components/host/${driver}/tool.cjs`;
  return new command.local.Command(
    `${name}-machine`,
    {
      create: `${tool} ensure`,
      update: `${tool} ensure`,
      delete: `${tool} delete`,
      environment: { GROUNDWORK_MACHINE: pulumi.jsonStringify(spec) },
      logging: "none",
      addPreviousOutputInEnv: false,
    },
    // One made anew has the name and the address of the old one, which must be gone by then.
    { deleteBeforeReplace: true, ...opts },
  );
}

/** The root filesystem in a machine's description. Below the cache, as a rule: then that does not depend on where the cache lies. */
export const rootfsOf = ({ path: file, sha256 }: Artifact): { rootfs: string; rootfsDigest: string } => ({
  rootfs: file.startsWith(cacheDir() + path.sep) ? path.relative(cacheDir(), file) : file,
  rootfsDigest: sha256,
});
