import * as pulumi from "@pulumi/pulumi";
import { BaselinePlan, HostBaseline } from "../baseline";
import type { Host, HostRole, SshConnection } from "../host";
import { machineCommand } from "../machine-command";
import type { PlannedMachine } from "../nspawn/plan";
import type { ReadyInstance } from "./instance";
import type { InstanceSpec } from "./plan";
import type { MultipassSettings } from "./settings";

/** An instance that is launched, before anything is done on it. */
export interface Launched {
  machine: pulumi.Resource;
  ready: pulumi.Output<ReadyInstance>;
}

/**
 * Launches an instance. Apart from the host, because the firewall of each machine names the addresses of all, and those are known
 * only once they run.
 */
export function launchInstance(
  planned: Pick<PlannedMachine, "name">,
  args: { settings: MultipassSettings; publicKey: pulumi.Input<string> },
  opts?: pulumi.CustomResourceOptions,
): Launched {
  const { image, cpus, memory, disk } = args.settings;
  const spec: Omit<InstanceSpec, "publicKey"> & { publicKey: pulumi.Input<string> } = {
    ...{ stack: pulumi.getStack(), name: planned.name, publicKey: args.publicKey },
    ...{ image, cpus, memory, disk },
  };
  const machine = machineCommand(planned.name, "multipass", spec, opts ?? {});
  return { machine, ready: machine.stdout.apply((answer) => JSON.parse(answer) as ReadyInstance) };
}

export interface MultipassHostArgs {
  planned: Pick<PlannedMachine, "name" | "role">;
  launched: Launched;
  privateKey: pulumi.Output<string>;
  /** Without names and addresses of the machines, which `addresses` gives. */
  baseline: BaselinePlan;
  /** Name to address of all machines of the stack. */
  addresses: pulumi.Input<Record<string, string>>;
}

/** A virtual machine of Multipass, made, repaired and taken away by the instance tool beside this file. */
export class MultipassHost extends pulumi.ComponentResource implements Host {
  readonly name: string;
  readonly role: HostRole;
  readonly address: pulumi.Output<string>;
  readonly ssh: SshConnection;
  readonly machine: pulumi.Resource;

  constructor(name: string, args: MultipassHostArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:host:MultipassHost", name, {}, opts);
    const { planned, launched } = args;
    this.name = planned.name;
    this.role = planned.role;
    this.machine = launched.machine;
    const reachable: SshConnection = {
      host: launched.ready.address,
      port: 22,
      user: "root",
      privateKey: args.privateKey,
      hostKey: launched.ready.hostKey,
    };
    const baseline = new HostBaseline(
      `${name}-baseline`,
      { host: { ssh: reachable, machine: launched.machine }, ...args.baseline, addresses: args.addresses },
      { parent: this },
    );
    this.address = pulumi.all([launched.ready.address, baseline.ready]).apply(([address]) => address);
    this.ssh = { ...reachable, host: this.address };
    this.registerOutputs({ address: this.address });
  }
}
