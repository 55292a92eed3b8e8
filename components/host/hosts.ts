import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import type { Artifacts } from "../../artifacts/types";
import type { BaselinePlan } from "./baseline";
import type { Target } from "./host";
import { NspawnHost } from "./nspawn/host";
import { planMachines } from "./nspawn/plan";
import type { NspawnSettings, SshSettings, TargetSettings } from "./settings";
import { SshHost } from "./ssh/host";
import { readPrivateKey } from "./ssh/key";

/** What drivers need besides their settings. */
export interface HostDeps {
  artifacts: Artifacts;
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
  }
}

/** The baseline's plan for one of the machines. */
function baselineOf(machines: { name: string; address: string }[], target: TargetSettings) {
  const names = Object.fromEntries(machines.map(({ name, address }) => [name, address]));
  return (sshPort: number): BaselinePlan => ({
    names,
    users: target.driver === "ssh" ? target.users : [],
    hardening: target.hardening,
    ownClock: target.driver !== "nspawn",
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
