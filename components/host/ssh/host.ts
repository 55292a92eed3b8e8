import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { BaselinePlan, baselinePackages, HostBaseline } from "../baseline";
import type { Host, HostRole, SshConnection } from "../host";
import type { SshSettings } from "../settings";
import type { Checked, CheckSpec } from "./check";

export interface SshHostArgs {
  host: SshSettings["hosts"][number];
  privateKey: pulumi.Output<string>;
  baseline: BaselinePlan;
}

/**
 * A machine that exists already: a VPS, a box under the desk. It is checked, gets the baseline, and outlives
 * the stack: `destroy` takes back what was put on it.
 */
export class SshHost extends pulumi.ComponentResource implements Host {
  readonly name: string;
  readonly role: HostRole;
  readonly address: pulumi.Output<string>;
  readonly ssh: SshConnection;
  readonly sharesKernel: pulumi.Output<boolean>;

  constructor(name: string, args: SshHostArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:host:SshHost", name, {}, opts);
    const { host } = args;
    this.name = host.name;
    this.role = host.role;

    const spec: CheckSpec = {
      ...{ name: host.name, address: host.address, port: host.port, hostKey: host.hostKey },
      packages: baselinePackages(args.baseline),
    };
    const checked = new command.local.Command(
      `${name}-check`,
      {
        // Relative to the project's root, where the engine starts its providers.
        create: "node components/host/ssh/check.cjs",
        environment: { GROUNDWORK_SSH: JSON.stringify(spec) },
        stdin: args.privateKey,
        logging: "none",
        addPreviousOutputInEnv: false,
      },
      { parent: this },
    );
    // The key that was seen is pinned from then on, also where the settings name none. None of it is secret.
    const seen = pulumi.unsecret(checked.stdout).apply((answer) => JSON.parse(answer) as Checked);
    this.sharesKernel = seen.sharesKernel;
    const reachable: SshConnection = {
      host: host.address,
      port: host.port,
      user: host.user,
      privateKey: args.privateKey,
      hostKey: seen.hostKey,
    };
    const baseline = new HostBaseline(
      `${name}-baseline`,
      { host: { ssh: reachable }, ...args.baseline },
      { parent: this },
    );
    this.address = baseline.ready.apply(() => host.address);
    this.ssh = { ...reachable, host: this.address };
    this.registerOutputs({ address: this.address });
  }
}
