import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import type { Artifacts } from "../../artifacts/types";
import type { BaselinePlan } from "./baseline";
import type { Target } from "./host";
import { NspawnHost } from "./nspawn/host";
import { planMachines } from "./nspawn/plan";
import { DockerHost } from "./docker/host";
import type { DockerSettings } from "./docker/settings";
import { hcloudTarget, orderedTarget, orderMachines } from "./hcloud/target";
import { launchInstance, MultipassHost } from "./multipass/host";
import type { MultipassSettings } from "./multipass/settings";
import type { NspawnSettings, SshSettings, TargetSettings } from "./settings";
import { SshHost } from "./ssh/host";
import { readPrivateKey } from "./ssh/key";

/** What drivers need besides their settings. */
export interface HostDeps {
  artifacts: Artifacts;
  /** Machines that cost money are protected from deletion by whoever they are rented from. @default false */
  protect?: boolean;
  opts?: pulumi.ComponentResourceOptions;
}

/**
 * The target's machines, servers first, and what stands before them. This is the one place where targets differ: whatever
 * consumes the hosts is the same for all of them.
 */
export function makeTarget(target: TargetSettings, deps: HostDeps): Target {
  switch (target.driver) {
    case "nspawn":
      return { hosts: nspawnHosts(target, deps) };
    case "ssh":
      return { hosts: sshHosts(target, deps) };
    case "hcloud":
      return hcloudTarget(target, { ...deps, key: generatedKey(deps.opts) });
    case "docker":
      return dockerTarget(target, deps);
    case "multipass":
      return { hosts: multipassHosts(target, deps) };
  }
}

/**
 * What a target orders elsewhere, without what is done inside the machines: a rehearsal has a stand-in of the cloud to order
 * from, and no machines. Nothing where the target orders nothing.
 */
export function rehearseTarget(target: TargetSettings, deps: HostDeps): Partial<Target> {
  if (target.driver !== "hcloud") return {};
  return orderedTarget(target, orderMachines(target, { ...deps, key: generatedKey(deps.opts) }));
}

/** The baseline's plan for one of the machines. */
function baselineOf(machines: { name: string; address: string }[], target: TargetSettings) {
  const names = Object.fromEntries(machines.map(({ name, address }) => [name, address]));
  return (sshPort: number): BaselinePlan => ({
    names,
    users: target.driver === "ssh" ? target.users : [],
    hardening: target.hardening,
    ownClock: !["nspawn", "docker"].includes(target.driver),
    firewall: { ...target.firewall, machines: machines.map((machine) => machine.address), sshPort },
  });
}

/** One key pair a stack. It lives in the graph, encrypted in the state, and nowhere else. */
const generatedKey = (opts?: pulumi.ComponentResourceOptions): tls.PrivateKey =>
  new tls.PrivateKey("hosts-key", { algorithm: "ED25519" }, opts);

function nspawnHosts(settings: NspawnSettings, { artifacts, opts }: HostDeps): NspawnHost[] {
  const key = generatedKey(opts);
  const rootfs = artifacts.file("rootfs");
  const planned = planMachines(settings);
  const baseline = baselineOf(planned, settings);
  return planned.map(
    (machine) =>
      new NspawnHost(
        machine.name,
        {
          planned: machine,
          settings,
          rootfs,
          publicKey: key.publicKeyOpenssh,
          privateKey: pulumi.secret(key.privateKeyOpenssh),
          baseline: baseline(22),
        },
        opts,
      ),
  );
}

function sshHosts(settings: SshSettings, { opts }: HostDeps): SshHost[] {
  const key = settings.privateKeyFile === undefined ? generatedKey(opts) : undefined;
  const privateKey = pulumi.secret(key?.privateKeyOpenssh ?? readPrivateKey(settings.privateKeyFile!));
  const baseline = baselineOf(settings.hosts, settings);
  const inOrder = [...settings.hosts].sort((a, b) => Number(a.role === "agent") - Number(b.role === "agent"));
  return inOrder.map((host) => new SshHost(host.name, { host, privateKey, baseline: baseline(host.port) }, opts));
}

function dockerTarget(settings: DockerSettings, { artifacts, opts }: HostDeps): Target {
  const key = generatedKey(opts);
  const rootfs = artifacts.file("rootfs");
  const planned = planMachines(settings);
  const { enabled, address } = settings.publish;
  // Whoever comes by a published port has an address of the engine's, and only this computer has those ports.
  const firewall = enabled ? { ...settings.firewall, adminSources: ["0.0.0.0/0"] } : settings.firewall;
  const baseline = baselineOf(planned, { ...settings, firewall });
  const keys = { publicKey: key.publicKeyOpenssh, privateKey: pulumi.secret(key.privateKeyOpenssh) };
  const hosts = planned.map(
    (machine) =>
      new DockerHost(machine.name, { planned: machine, settings, rootfs, ...keys, baseline: baseline(22) }, opts),
  );
  if (!enabled) return { hosts };
  const published = pulumi.output(address);
  return {
    hosts,
    api: { address: published, inside: pulumi.output(planned[0]!.address) },
    ingress: { address: published, trustedProxies: [] },
  };
}

function multipassHosts(settings: MultipassSettings, { opts }: HostDeps): MultipassHost[] {
  const key = generatedKey(opts);
  // Multipass gives the addresses; names and roles are those that every driver of this computer has.
  const planned = planMachines({ ...settings, network: { cidr: "0.0.0.0/24" } });
  const launched = planned.map((machine) =>
    launchInstance(machine, { settings, publicKey: key.publicKeyOpenssh }, opts),
  );
  const addresses = pulumi
    .all(launched.map(({ ready }) => ready.address))
    .apply((all) => Object.fromEntries(planned.map(({ name }, index) => [name, all[index]!])));
  const privateKey = pulumi.secret(key.privateKeyOpenssh);
  const baseline = baselineOf([], settings)(22);
  return planned.map(
    (machine, index) =>
      new MultipassHost(
        machine.name,
        { planned: machine, launched: launched[index]!, privateKey, baseline, addresses },
        opts,
      ),
  );
}
