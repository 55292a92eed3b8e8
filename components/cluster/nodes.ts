import * as path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import type { Artifact } from "../../artifacts/types";
import type { CachedArtifact } from "../host/depot";
import type { Host } from "../host/host";
import { remoteScript } from "../host/remote-script";
import type { ClusterPlan, NodePlan } from "./config";
import { deliverAll } from "./deliver";
import { imagesScript, installScript, readyScript, RemoteK3s, Tokens, uninstall, upgradeScript } from "./install";
import { Witnesses, witnessScript } from "./join";
import { departureScript } from "./member";
import { patchScript, returnScript } from "./os";
import { gateScript, GateSettings, noCluster, patchGateScript } from "./rolling";

/** What the nodes of a cluster have in common. */
export interface NodesArgs {
  /** Servers first. */
  hosts: Host[];
  plan: pulumi.Output<ClusterPlan>;
  tokens: pulumi.Output<Tokens>;
  /** The K3s release: its binary in the cache. */
  k3s: Artifact;
  images: (CachedArtifact & { ref?: string })[];
  /** Release and settings that the upgrade's gate goes by. */
  upgrade: { batch: number; osPatches?: string } & GateSettings;
  /** With this the whole cluster goes: then no node has to leave it. */
  cluster: pulumi.Resource;
}

/** A host as the planners see it, once its machine is ready. */
export const nodePlan = ({ name, role, address, sharesKernel, routed, labels }: Host): pulumi.Output<NodePlan> =>
  pulumi.all([address, sharesKernel ?? false]).apply(([at, shares]) => ({
    ...{ name, role, address: at, sharesKernel: shares },
    ...(routed === undefined ? {} : { routed }),
    ...(labels === undefined ? {} : { labels }),
  }));

/**
 * The resources of the nodes, and how they wait for each other. A value is known once what it says is so:
 *
 *   gate → server 1 → server 2 → ... → agents side by side → agents' upgrades, a batch after the other → patches, node after node
 *
 * and before each of them images → member → install. The next server joins when the one before has, which is before that one's node
 * is Ready; agents of a new cluster join as soon as there is one. They go away in the opposite order: the node leaves the cluster, then K3s is
 * uninstalled where the machine stays.
 */
export class Nodes {
  private readonly name: string;
  private readonly args: NodesArgs;
  private readonly opts: pulumi.CustomResourceOptions;

  constructor(name: string, args: NodesArgs, parent: pulumi.Resource) {
    this.name = name;
    this.args = args;
    this.opts = { parent };
  }

  /** All nodes at the release and Ready. */
  install(): { first: pulumi.Output<string>; servers: pulumi.Output<string>; all: pulumi.Output<string>[] } {
    const { hosts } = this.args;
    const servers = hosts.filter((host) => host.role === "server");
    const agents = hosts.filter((host) => host.role === "agent");
    const gate = this.gate(servers[0]!);
    const witnesses = this.witnesses(servers);
    // One after the other: etcd takes one new member at a time, and gives one away at a time.
    const serversDone = servers.reduce<pulumi.Output<string>[]>(
      (done, host) => [...done, this.node(host, done.at(-1) ?? gate, done.length === 0 ? witnesses : undefined)],
      [],
    );
    const readies = servers.map((host, index) => this.ready(host, serversDone[index]!));
    const serversReady = pulumi.all(readies).apply((all) => all.at(-1)!);
    // A kubelet is never newer than an API server, so an agent joins a cluster that runs when its servers have been upgraded.
    const open = gate.apply((said) => (said.trim() === noCluster ? serversDone[0]! : serversReady));
    const joined = agents.map((host) => ({ host, ready: this.node(host, open) }));
    const { batch, osPatches } = this.args.upgrade;
    const upgraded: pulumi.Output<string>[] = [];
    joined.forEach(({ host, ready }, index) => {
      const before = Math.floor(index / batch) * batch;
      // Each of a batch waits for all of the batch before.
      upgraded.push(this.upgrade(host, [ready, ...upgraded.slice(Math.max(0, before - batch), before)]));
    });
    const all = [...readies, ...upgraded];
    const patched =
      osPatches === undefined ? all : this.patches(osPatches, [this.patchGate(servers[0]!, osPatches, all)]);
    return { first: readies[0]!, servers: serversReady, all: patched };
  }

  /** Images, a place in the cluster, and K3s; `after` is what it waits for. */
  private node(host: Host, after: pulumi.Input<string>, witnesses?: pulumi.Output<Witnesses>): pulumi.Output<string> {
    const { plan, tokens } = this.args;
    const node = `${this.name}-${host.name}`;
    const imported = this.importImages(node, host);
    const member = this.member(node, host, imported);
    const script = pulumi
      .all([plan, this.self(host), tokens, this.binary(node, host), witnesses ?? {}])
      .apply(([all, self, secrets, k3s, seen]) => installScript(all, self, secrets, k3s, seen));
    const installed = remoteScript(
      `${node}-install`,
      { host, apply: script, triggers: [imported, member, after] },
      this.opts,
    );
    // The words `NAME has joined` or `NAME is Ready`; the tokens in the script are what made it secret.
    return pulumi.unsecret(installed.stdout);
  }

  /** A server that has joined, once its node is Ready. */
  private ready(host: Host, joined: pulumi.Output<string>): pulumi.Output<string> {
    const place = { host, apply: this.self(host).apply(readyScript), triggers: [joined] };
    return pulumi.unsecret(remoteScript(`${this.name}-${host.name}-ready`, place, this.opts).stdout);
  }

  /** Puts the image archives where K3s imports them from. What is installed after them goes before them, so this ends with K3s. */
  private importImages(node: string, host: Host): pulumi.Output<string> {
    // The name in the folder has the digest, so that K3s sees a changed archive as a new file.
    const link = ({ name, path: from, sha256 }: CachedArtifact): string =>
      `${name}-${sha256.slice(0, 12)}${/\.tar(\.\w+)?$/.exec(path.basename(from))?.[0] ?? ".tar"}`;
    const { images } = this.args;
    const apply = this.delivered(node, host).apply(([, ...places]) =>
      imagesScript(
        Object.fromEntries(
          images.map((image, at) => [link(image), { path: places[at]!, sha256: image.sha256, ref: image.ref }]),
        ),
      ),
    );
    const remove = this.self(host).apply(uninstall);
    return pulumi.unsecret(remoteScript(`${node}-images`, { host, apply, remove }, this.opts).stdout);
  }

  /** The node's place in the cluster: taken back, on another server, before its machine goes or is made anew. */
  private member(node: string, host: Host, after: pulumi.Output<string>): pulumi.Output<string> {
    const { hosts, plan, cluster } = this.args;
    const keeper = hosts.find(({ role, name }) => role === "server" && name !== host.name) ?? host;
    const remove = pulumi.all([plan, this.self(host)]).apply(([all, self]) => departureScript(all, self));
    const options = { ...this.opts, deletedWith: cluster };
    const place = { host: keeper, apply: `echo ${host.name}`, remove, triggers: [after] };
    // With its only server a cluster ends: another machine has no place to take over.
    const replaceWith = keeper === host ? undefined : host;
    return pulumi.unsecret(remoteScript(`${node}-member`, { ...place, replaceWith }, options).stdout);
  }

  /** An agent's turn in an upgrade. */
  private upgrade(host: Host, after: pulumi.Input<string>[]): pulumi.Output<string> {
    const node = `${this.name}-${host.name}`;
    const apply = pulumi
      .all([this.args.plan, this.self(host), this.binary(node, host)])
      .apply(([all, self, k3s]) => upgradeScript(all, self, k3s));
    return pulumi.unsecret(remoteScript(`${node}-upgrade`, { host, apply, triggers: after }, this.opts).stdout);
  }

  /** The gate before an upgrade, at the first server. */
  private gate(host: Host): pulumi.Output<string> {
    const { k3s, upgrade } = this.args;
    const apply = gateScript(k3s.version, upgrade);
    return pulumi.unsecret(remoteScript(`${this.name}-upgrade-gate`, { host, apply, warns: true }, this.opts).stdout);
  }

  /** The same before packages of a day. */
  private patchGate(host: Host, day: string, triggers: pulumi.Output<string>[]): pulumi.Output<string> {
    const apply = patchGateScript(day, this.args.upgrade);
    const place = { host, apply, triggers, warns: true };
    return pulumi.unsecret(remoteScript(`${this.name}-patches-gate`, place, this.opts).stdout);
  }

  /** Whether other servers' machines hold data, asked again when the first server's machine is another one. */
  private witnesses([first, ...others]: Host[]): pulumi.Output<Witnesses> {
    const identity = pulumi.CustomResource.isInstance(first!.machine) ? first!.machine.id : "";
    const said = others.map((host) => {
      const asked = remoteScript(
        `${this.name}-${host.name}-witness`,
        { host, apply: witnessScript, triggers: [identity] },
        this.opts,
      );
      return pulumi.unsecret(asked.stdout).apply((word) => [host.name, word.trim() === "member"] as const);
    });
    return pulumi.all(said).apply((all) => Object.fromEntries(all));
  }

  /** Packages of the operating system, one node after the other. */
  private patches(day: string, ready: pulumi.Output<string>[]): pulumi.Output<string>[] {
    const { hosts, plan } = this.args;
    let before: pulumi.Input<unknown>[] = ready;
    return hosts.map((host) => {
      const node = `${this.name}-${host.name}`;
      const both = pulumi.all([plan, this.self(host)]);
      const apply = both.apply(([all, self]) => patchScript(all, self, day));
      const said = remoteScript(`${node}-patches`, { host, apply, triggers: before, warns: true }, this.opts).stdout;
      const keeper = hosts.find(({ role, name }) => role === "server" && name !== host.name) ?? host;
      const waits = pulumi.all([both, said]).apply(([[all, self], words]) => returnScript(all, self, words));
      const back = remoteScript(`${node}-patched`, { host: keeper, apply: waits }, this.opts).stdout;
      before = [back];
      return pulumi.unsecret(back);
    });
  }

  private copies = new Map<string, pulumi.Output<string[]>>();

  /** Where the machine has the binary and the images, in this order. */
  private delivered(node: string, host: Host): pulumi.Output<string[]> {
    const { k3s, images } = this.args;
    const there = this.copies.get(node) ?? deliverAll(node, host, [{ ...k3s, name: "k3s" }, ...images], this.opts);
    this.copies.set(node, there);
    return there;
  }

  private binary(node: string, host: Host): pulumi.Output<RemoteK3s> {
    const { sha256, version } = this.args.k3s;
    return this.delivered(node, host).apply(([at]) => ({ path: at!, sha256, version }));
  }

  private self = nodePlan;
}
