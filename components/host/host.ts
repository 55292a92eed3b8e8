import * as pulumi from "@pulumi/pulumi";
import type { Depot } from "./depot";

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
  /** Machine that the connection goes through (a jump host), where this one can't be reached from outside. */
  proxy?: SshConnection;
}

/**
 * A machine that exists and can be worked on: the only thing in which targets differ. Whatever comes after
 * it in the graph consumes `ssh` or `address`, and so waits until the machine is ready and has its baseline.
 */
export interface Host {
  /** Unique in the stack; also the machine's hostname and its node name in the cluster. */
  name: string;
  role: HostRole;
  /**
   * Address at which the other machines reach it, and the workstation too unless `ssh` goes through a jump host; known once the
   * machine is ready.
   */
  address: pulumi.Output<string>;
  ssh: SshConnection;
  /**
   * Folder on the machine at which the artefact cache is to be seen read-only, when the driver can offer that
   * (nspawn binds it). Unset: artefacts are copied over SSH.
   */
  artifactMount?: string;
  /** Labels of its node. @default none */
  labels?: Record<string, string>;
  /** Where the machine fetches artefacts from through its own network. Unset: they are uploaded to it over SSH. */
  depot?: Depot;
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
  /** The machines reach one another through a router and not over one link, so that pods' addresses need a tunnel. @default false */
  routed?: boolean;
}

/** A cloud that the machines stand in, as its controllers have to be told of it. */
export interface CloudAccess {
  kind: "hcloud";
  /** Token of the cloud's API, a secret. */
  token: pulumi.Output<string>;
  /** Base address of the API where it is not the public one: an emulator. */
  endpoint?: string;
  /** Name of the private network that the machines are in. */
  network: pulumi.Output<string>;
  /** Network of the pods. */
  clusterCidr: string;
  /** Location of the servers; volumes are made there. */
  location: string;
}

/** What a target gives: machines, and how the cluster on them is reached where that is not a machine's own address. */
export interface Target {
  /** Servers first. */
  hosts: Host[];
  /** Where the API server is reached through a balancer: by people (kubeconfig), and by joining nodes. Unset: at the first server. */
  api?: { address: pulumi.Output<string>; inside: pulumi.Output<string> };
  /** Where people reach the ingress, when that is not the nodes. `trustedProxies` are networks that speak the PROXY protocol to it. */
  ingress?: { address: pulumi.Output<string>; addressV6?: pulumi.Output<string>; trustedProxies: string[] };
  cloud?: CloudAccess;
}
