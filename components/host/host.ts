import * as pulumi from "@pulumi/pulumi";

/** What a machine does in the cluster: `server` runs the control plane (and workloads), `agent` runs workloads only. */
export type HostRole = "server" | "agent";

/** How to reach a machine. The user is root: everything that the graph does on a machine needs it. */
export interface SshConnection {
  host: pulumi.Input<string>;
  port: number;
  user: string;
  /** OpenSSH private key, a secret output. */
  privateKey: pulumi.Output<string>;
  /** The machine's host public key in authorized_keys form, pinned by every connection where it is known. */
  hostKey?: pulumi.Input<string>;
}

/**
 * A machine that exists and can be worked on: the only thing in which targets differ. Whatever comes after
 * it in the graph consumes `ssh` or `address`, and so waits until the machine is ready and has its baseline.
 */
export interface Host {
  /** Unique in the stack; also the machine's hostname and its node name in the cluster. */
  name: string;
  role: HostRole;
  /** Address at which the other machines and the workstation reach it; known once the machine is ready. */
  address: pulumi.Output<string>;
  ssh: SshConnection;
  /**
   * Folder on the machine at which the artefact cache is to be seen read-only, when the driver can offer that
   * (nspawn binds it). Unset: artefacts are copied over SSH.
   */
  artifactMount?: string;
  /**
   * The resource with which the machine itself goes away. Set: what was installed on the machine is not
   * uninstalled one by one. Unset: the machine outlives the stack and gets back what it was.
   */
  machine?: pulumi.Resource;
  /**
   * The machine runs on the kernel of the computer that holds it (a container), where limits of connection
   * tracking and the like belong to that computer and can't be changed from inside.
   */
  sharesKernel?: pulumi.Input<boolean>;
}
