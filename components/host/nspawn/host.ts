import * as pulumi from "@pulumi/pulumi";
import type { Artifact } from "../../../artifacts/types";
import { BaselinePlan, HostBaseline } from "../baseline";
import type { Host, HostRole, SshConnection } from "../host";
import { machineCommand, rootfsOf } from "../machine-command";
import type { NspawnSettings } from "../settings";
import { bytes, planNetwork, PlannedMachine } from "./plan";
import { artifactMount, type ReadyMachine } from "./machine";

export interface NspawnHostArgs {
  planned: PlannedMachine;
  settings: NspawnSettings;
  /** Key pair that the stack's machines are reached with. */
  publicKey: pulumi.Input<string>;
  privateKey: pulumi.Output<string>;
  rootfs: Artifact;
  baseline: BaselinePlan;
}

/** A systemd-nspawn machine on this computer, made, repaired and taken away by the machine tool beside this file. */
export class NspawnHost extends pulumi.ComponentResource implements Host {
  readonly name: string;
  readonly role: HostRole;
  readonly address: pulumi.Output<string>;
  readonly ssh: SshConnection;
  readonly artifactMount = artifactMount;
  readonly machine: pulumi.Resource;
  readonly sharesKernel = true;

  constructor(name: string, args: NspawnHostArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:host:NspawnHost", name, {}, opts);
    const { planned, settings, rootfs } = args;
    const { prefix, gateway } = planNetwork(settings.network.cidr);
    this.name = planned.name;
    this.role = planned.role;

    const spec = {
      stack: pulumi.getStack(),
      name: planned.name,
      address: planned.address,
      prefix,
      gateway,
      bridge: settings.network.bridge,
      publicKey: args.publicKey,
      ...rootfsOf(rootfs),
      memory: settings.memory === undefined ? undefined : bytes(settings.memory),
      cpus: settings.cpus,
    };
    const machine = machineCommand(name, "nspawn", spec, { parent: this });
    const ready = machine.stdout.apply((answer) => JSON.parse(answer) as ReadyMachine);
    const reachable: SshConnection = {
      host: ready.address,
      port: 22,
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
    this.ssh = { ...reachable, host: this.address };
    this.registerOutputs({ address: this.address });
  }
}
