import * as hcloud from "@pulumi/hcloud";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { cloudConfig } from "./cloud-config";
import { labelsOf, type CloudPlan, type PlannedServer } from "./plan";

export interface CloudServerArgs {
  plan: PlannedServer;
  network: CloudPlan["network"];
  /** The private network, known once a machine in it has what it needs of it. */
  networkId: pulumi.Input<number>;
  firewallId: pulumi.Input<number>;
  /** Ids or names of the keys that Hetzner puts into root's authorized_keys. */
  sshKeys: pulumi.Input<string>[];
  groupId?: pulumi.Input<number>;
  /** Names of the snapshots to take of it. */
  snapshots: string[];
  /** Hetzner refuses to delete it, and the engine to delete its volume. */
  protect: boolean;
}

/** A machine at Hetzner with what belongs to it alone: host key, public addresses, volume, snapshots. */
export class CloudServer extends pulumi.ComponentResource {
  readonly plan: PlannedServer;
  readonly server: hcloud.Server;
  /** Its host public key, which the first connection is held to. */
  readonly hostKey: pulumi.Output<string>;
  /** Unset for a machine without public addresses. */
  readonly publicIpv4?: pulumi.Output<string>;
  /** Path of its volume on the machine; known once it is attached. */
  readonly volumeDevice?: pulumi.Output<string>;

  constructor(name: string, args: CloudServerArgs, opts: pulumi.ComponentResourceOptions) {
    super("groundwork:host:HcloudServer", name, {}, opts);
    const { plan, network, protect } = args;
    this.plan = plan;
    const key = new tls.PrivateKey(`${name}-host-key`, { algorithm: "ED25519" }, { parent: this });
    this.hostKey = key.publicKeyOpenssh.apply((line) => line.trim());
    const userData = pulumi.all([key.privateKeyOpenssh, key.publicKeyOpenssh]).apply(([privateKey, publicKey]) =>
      cloudConfig({
        name: plan.name,
        hostKey: { privateKey, publicKey },
        ...(plan.public ? {} : { uplink: { cidr: network.cidr, gateway: network.gateway } }),
      }),
    );
    const addresses = plan.public ? this.addresses(name, args) : undefined;
    this.server = new hcloud.Server(
      name,
      {
        name: plan.name,
        serverType: plan.type,
        image: plan.image,
        location: plan.location,
        labels: plan.labels,
        sshKeys: args.sshKeys,
        userData: pulumi.secret(userData),
        firewallIds: [args.firewallId],
        // `aliasIps` is said because leaving it out made the official provider attach anew at every run (terraform-provider-hcloud#650).
        networks: [{ networkId: args.networkId, ip: plan.address, aliasIps: [] }],
        publicNets: [
          addresses
            ? { ipv4Enabled: true, ipv4: idOf(addresses.ipv4), ipv6Enabled: true, ipv6: idOf(addresses.ipv6) }
            : { ipv4Enabled: false, ipv6Enabled: false },
        ],
        ...(args.groupId === undefined ? {} : { placementGroupId: args.groupId }),
        backups: plan.backups,
        // Another type changes the machine in place; with the disk as it is, the way back stays open.
        keepDisk: true,
        shutdownBeforeDeletion: true,
        deleteProtection: protect,
        rebuildProtection: protect,
      },
      {
        parent: this,
        // Its name, its addresses and its volume can only be had twice one after the other.
        deleteBeforeReplace: true,
        // What counts at the first start only. A new image or key is for machines that are made from then on; else a changed
        // line of the settings would replace all of them at once.
        ignoreChanges: ["userData", "sshKeys", "image"],
        // A disk does not start on a processor of the other kind.
        replacementTrigger: plan.architecture,
        // A machine that a platform is built on may take its time to shut down.
        customTimeouts: { create: "15m", update: "15m", delete: "15m" },
      },
    );
    this.publicIpv4 = addresses && pulumi.all([addresses.ipv4.ipAddress, this.server.id]).apply(([ip]) => ip);
    this.volumeDevice = this.volume(name, args);
    this.takeSnapshots(name, args);
    this.registerOutputs({ serverId: this.server.id });
  }

  /** Public addresses with a life of their own: a machine that is made anew has the same ones. */
  private addresses(name: string, { plan, protect }: CloudServerArgs) {
    const address = (type: "ipv4" | "ipv6") =>
      new hcloud.PrimaryIp(
        `${name}-${type}`,
        {
          name: `${plan.name}-${type}`,
          type,
          location: plan.location,
          assigneeType: "server",
          autoDelete: false,
          labels: belongsTo(plan, "address"),
          deleteProtection: protect,
        },
        { parent: this, deleteBeforeReplace: true },
      );
    return { ipv4: address("ipv4"), ipv6: address("ipv6") };
  }

  private volume(name: string, { plan, protect }: CloudServerArgs): pulumi.Output<string> | undefined {
    if (plan.volume === undefined) return undefined;
    const volume = new hcloud.Volume(
      `${name}-volume`,
      {
        name: `${plan.name}-data`,
        size: plan.volume,
        location: plan.location,
        labels: belongsTo(plan, "volume"),
        deleteProtection: protect,
      },
      { parent: this, protect, deleteBeforeReplace: true },
    );
    const attached = new hcloud.VolumeAttachment(
      `${name}-volume-attachment`,
      { volumeId: idOf(volume), serverId: idOf(this.server), automount: false },
      { parent: this, deleteBeforeReplace: true },
    );
    return pulumi.all([volume.linuxDevice, attached.id]).apply(([device]) => device);
  }

  /** A snapshot is of the machine as it was then: one that is made anew since has nothing to do with it. */
  private takeSnapshots(name: string, { plan, snapshots }: CloudServerArgs): void {
    for (const snapshot of snapshots) {
      new hcloud.Snapshot(
        `${name}-snapshot-${snapshot}`,
        {
          serverId: idOf(this.server),
          description: `${plan.name} ${snapshot}`,
          labels: { ...belongsTo(plan, "snapshot"), "groundwork-snapshot": snapshot },
        },
        { parent: this, ignoreChanges: ["serverId"] },
      );
    }
  }
}

const idOf = (resource: pulumi.CustomResource): pulumi.Output<number> => resource.id.apply(Number);

/** Labels of what belongs to one machine. */
const belongsTo = (plan: PlannedServer, role: string) => ({
  ...labelsOf(plan.labels["groundwork-stack"]!, role),
  "groundwork-machine": plan.name,
});
