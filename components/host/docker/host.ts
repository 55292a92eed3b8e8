import * as pulumi from "@pulumi/pulumi";
import type { Artifact } from "../../../artifacts/types";
import { BaselinePlan, HostBaseline } from "../baseline";
import type { Host, HostRole, SshConnection } from "../host";
import { machineCommand, rootfsOf } from "../machine-command";
import { artifactMount, type ReadyMachine } from "../nspawn/machine";
import { bytes, planNetwork, type PlannedMachine } from "../nspawn/plan";
import { sshPlace } from "./machine";
import { ContainerSpec, publishedOf } from "./plan";
import type { DockerSettings } from "./settings";

export interface DockerHostArgs {
  planned: PlannedMachine;
  settings: DockerSettings;
  /** Key pair that the stack's machines are reached with. */
  publicKey: pulumi.Input<string>;
  privateKey: pulumi.Output<string>;
  rootfs: Artifact;
  baseline: BaselinePlan;
}

/** A machine as a privileged container with systemd in it, made, repaired and taken away by the container tool beside this file. */
export class DockerHost extends pulumi.ComponentResource implements Host {
  readonly name: string;
  readonly role: HostRole;
  readonly address: pulumi.Output<string>;
  readonly ssh: SshConnection;
  readonly artifactMount = artifactMount;
  readonly machine: pulumi.Resource;
  readonly sharesKernel = true;

  constructor(name: string, args: DockerHostArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:host:DockerHost", name, {}, opts);
    const { planned, settings, rootfs } = args;
    this.name = planned.name;
    this.role = planned.role;

    const published = publishedOf(settings, planned);
    const place = sshPlace({ address: planned.address, published });
    const spec: Omit<ContainerSpec, "publicKey"> & { publicKey: pulumi.Input<string> } = {
      stack: pulumi.getStack(),
      name: planned.name,
      address: planned.address,
      cidr: settings.network.cidr,
      gateway: planNetwork(settings.network.cidr).gateway,
      publicKey: args.publicKey,
      ...rootfsOf(rootfs),
      ...(published === undefined ? {} : { published }),
      ...(settings.memory === undefined ? {} : { memory: bytes(settings.memory) }),
      ...(settings.cpus === undefined ? {} : { cpus: settings.cpus }),
    };
    const machine = machineCommand(name, "docker", spec, { parent: this });
    const ready = machine.stdout.apply((answer) => JSON.parse(answer) as ReadyMachine);
    const reachable: SshConnection = {
      host: ready.apply(() => place.host),
      port: place.port,
      user: "root",
      privateKey: args.privateKey,
      hostKey: ready.hostKey,
    };
    const baseline = new HostBaseline(
      `${name}-baseline`,
      { host: { ssh: reachable, machine }, ...args.baseline },
      { parent: this },
    );
    this.machine = machine;
    this.address = pulumi.all([ready.address, baseline.ready]).apply(([address]) => address);
    this.ssh = { ...reachable, host: baseline.ready.apply(() => place.host) };
    this.registerOutputs({ address: this.address });
  }
}
