import { stringify } from "yaml";
import { uplinkCommands, uplinkFiles, type Uplink } from "./uplink";

export interface CloudConfigPlan {
  /** Host name, which is the node's name, too. */
  name: string;
  /** Host key in OpenSSH's form, private and public half. */
  hostKey: { privateKey: string; publicKey: string };
  /** Set for a machine without public addresses. */
  uplink?: Uplink;
}

/**
 * The user data of a machine: what it takes until the first connection over SSH, and nothing after that. The host key comes
 * with it, so that the first connection is pinned already and nobody on the way can pose as the machine. No package is
 * installed or updated here: whatever a machine gets, it gets by the graph, where it can fail, be seen and be done again.
 *
 * The text is secret. Who can read it: the state (encrypted), Hetzner, and the machine itself by the metadata service, so that
 * a pod that may talk to 169.254.169.254 could learn the host key; network policies let no pod do that unless it says so.
 */
export function cloudConfig({ name, hostKey, uplink }: CloudConfigPlan): string {
  const config = {
    hostname: name,
    // One kind of key only: a client that prefers another kind would be shown one that is not pinned.
    ssh_deletekeys: true,
    ssh_keys: { ed25519_private: `${hostKey.privateKey.trimEnd()}\n`, ed25519_public: hostKey.publicKey.trim() },
    disable_root: false,
    ssh_pwauth: false,
    package_update: false,
    ...(uplink === undefined
      ? {}
      : {
          write_files: uplinkFiles(uplink).map(({ path, mode = "644", content }) => ({
            path,
            permissions: `0${mode}`,
            content,
          })),
          runcmd: uplinkCommands,
        }),
  };
  return `#cloud-config\n${stringify(config, { lineWidth: 0 })}`;
}
