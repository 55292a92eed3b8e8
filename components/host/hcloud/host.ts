import * as pulumi from "@pulumi/pulumi";
import { HostBaseline, type BaselinePlan } from "../baseline";
import type { Depot } from "../depot";
import type { Host, HostRole, SshConnection } from "../host";
import { remoteScript } from "../remote-script";
import { bootedOf, bootScript } from "./boot";
import { natFiles, type NatPlan, natScript } from "./nat";
import type { CloudPlan } from "./plan";
import type { CloudServer } from "./server";
import { writeFiles } from "../remote-script";

export interface HcloudHostArgs {
  machine: CloudServer;
  network: CloudPlan["network"];
  privateKey: pulumi.Output<string>;
  baseline: BaselinePlan;
  /** The jump host of a machine without public addresses; its address is known once it forwards. */
  gateway?: SshConnection;
  /** Set for the gateway itself. */
  nat?: NatPlan;
}

/**
 * Failed attempts to connect while a machine starts, 5 minutes at most. A machine is "running" for Hetzner when it is switched on;
 * SSH answers ten to sixty seconds later.
 */
const startAttempts = 20;
const startLimit = { create: "6m", update: "6m" };

/** A machine at Hetzner Cloud as a host: waits for its first start, then brings what every machine gets. */
export class HcloudHost extends pulumi.ComponentResource implements Host {
  readonly name: string;
  readonly role: HostRole;
  readonly address: pulumi.Output<string>;
  readonly ssh: SshConnection;
  readonly machine: pulumi.CustomResource;
  readonly sharesKernel: pulumi.Output<boolean>;
  readonly routed = true;
  readonly labels: Record<string, string>;
  depot?: Depot;

  constructor(name: string, args: HcloudHostArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:host:HcloudHost", name, {}, opts);
    const { machine, network, gateway } = args;
    const { plan, server } = machine;
    this.name = plan.name;
    this.role = plan.role === "server" ? "server" : "agent";
    this.labels = plan.nodeLabels;
    this.machine = server;

    // Never known before the machine is there, although a fixed address could be.
    const reached = machine.publicIpv4 ?? server.id.apply(() => plan.address);
    const starting: SshConnection = {
      ...{ host: reached, port: 22, user: "root", privateKey: args.privateKey, hostKey: machine.hostKey },
      ...(plan.public || gateway === undefined ? {} : { proxy: gateway }),
    };
    const script = pulumi.output(machine.volumeDevice).apply((device) =>
      bootScript({
        ...(plan.public ? {} : { uplink: { cidr: network.cidr, gateway: network.gateway } }),
        ...(device === undefined ? {} : { volume: { device, gigabytes: plan.volume! } }),
      }),
    );
    const booted = remoteScript(
      `${name}-boot`,
      { host: { ssh: starting, machine: server }, apply: script, dialErrorLimit: startAttempts },
      { parent: this, customTimeouts: startLimit },
    );
    const answer = pulumi.unsecret(booted.stdout);
    this.sharesKernel = answer.apply((printed) => bootedOf(printed).sharesKernel);
    const up: SshConnection = { ...starting, host: pulumi.all([reached, answer]).apply(([host]) => host) };
    const baseline = new HostBaseline(
      `${name}-baseline`,
      { host: { ssh: up, machine: server }, ...args.baseline },
      { parent: this },
    );
    const ready = args.nat ? this.forward(name, args.nat, up, baseline.ready) : baseline.ready;
    this.address = ready.apply(() => plan.address);
    this.ssh = { ...up, host: pulumi.all([reached, ready]).apply(([host]) => host) };
    this.registerOutputs({ address: this.address });
  }

  /** Makes the machine the way out of the private network, and the way in to its API. */
  private forward(name: string, nat: NatPlan, ssh: SshConnection, baseline: pulumi.Output<string>) {
    const forwards = remoteScript(
      `${name}-nat`,
      {
        host: { ssh, machine: this.machine },
        apply: `${writeFiles(natFiles(nat))}\n${natScript}\necho forwards`,
        // The baseline brings nftables.
        triggers: [baseline],
      },
      { parent: this },
    );
    return pulumi.unsecret(forwards.stdout);
  }
}
