import * as path from "node:path";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { Artifact } from "../../../artifacts/types";
import { cacheDir } from "../../../cli/paths";
import { BaselinePlan, HostBaseline } from "../baseline";
import type { Host, HostRole, SshConnection } from "../host";
import { artifactMount, type ReadyMachine } from "../nspawn/machine";
import { bytes, planNetwork, type PlannedMachine } from "../nspawn/plan";
import { sshPlace } from "./machine";
import { ContainerSpec, publishedOf } from "./plan";
import type { DockerSettings } from "./settings";

/** Relative to the project's root, which is where the engine starts its providers; so the state holds no absolute path. */
const tool = "node components/host/docker/tool.cjs";

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
      // Below the cache, as a rule: then the description does not depend on where the cache lies.
      rootfs: rootfs.path.startsWith(cacheDir() + path.sep) ? path.relative(cacheDir(), rootfs.path) : rootfs.path,
      rootfsDigest: rootfs.sha256,
      ...(published === undefined ? {} : { published }),
      ...(settings.memory === undefined ? {} : { memory: bytes(settings.memory) }),
      ...(settings.cpus === undefined ? {} : { cpus: settings.cpus }),
    };
    const machine = new command.local.Command(
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
      { parent: this, deleteBeforeReplace: true },
    );
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
