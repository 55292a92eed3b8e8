import * as pulumi from "@pulumi/pulumi";
import * as command from "@pulumi/command";

export interface LocalNamesArgs {
  /** Names the block in the hosts file. */
  stack: string;
  /** Where the names point: the ingress's address. */
  address: pulumi.Input<string>;
  names: string[];
}

/**
 * Makes the ingress's names resolve on this computer, by a marked block in /etc/hosts that goes with the stack.
 * For local targets only: elsewhere names belong into DNS. Needs root.
 */
export class LocalNames extends pulumi.ComponentResource {
  constructor(name: string, args: LocalNamesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:edge:LocalNames", name, {}, opts);
    // Relative to the checkout, which is the engine's working directory: the state names no path of this machine.
    const tool = "node components/edge/local-names/hosts-file.cjs";
    const set = pulumi.interpolate`${tool} set ${args.stack} ${args.address} ${args.names.join(" ")}`;
    new command.local.Command(
      `${name}-hosts-file`,
      { create: set, update: set, delete: `${tool} remove ${args.stack}` },
      { parent: this },
    );
    this.registerOutputs({});
  }
}
