import * as net from "node:net";
import type { LoadBalancerServiceSpec, LoadBalancerSpec, TargetHealth } from "../../backend";
import { Watch } from "./health";
import { proxyHeader } from "./proxy-protocol";

/** Milliseconds in which a target has to accept a connection. */
const connectLimit = 5000;

export type Algorithm = LoadBalancerSpec["algorithm"];

/** Which of the healthy targets is next: in turn, or the one with the fewest connections. Undefined when there is none. */
export function choose<T extends { connections: number }>(
  healthy: T[],
  algorithm: Algorithm,
  turn: number,
): T | undefined {
  if (healthy.length === 0) return undefined;
  if (algorithm === "round_robin") return healthy[turn % healthy.length];
  return healthy.reduce((least, one) => (one.connections < least.connections ? one : least));
}

interface Target {
  address: string;
  watch: Watch;
  connections: number;
}

/** One port of a balancer: listens, watches its targets, and passes connections on to those that are healthy. */
export class Service {
  private readonly server: net.Server;
  private targets: Target[] = [];
  private readonly open = new Set<net.Socket>();
  private turn = 0;

  constructor(
    private readonly spec: LoadBalancerServiceSpec,
    private readonly algorithm: () => Algorithm,
    private readonly changed: () => void,
  ) {
    this.server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => this.pass(client));
    this.server.on("error", (error) => console.error(`port ${spec.listenPort}: ${error.message}`));
    // At all addresses that the balancer has or will have.
    this.server.listen({ port: spec.listenPort });
  }

  /** Takes over which targets there are; those that stay keep their health and their connections. */
  setTargets(addresses: string[]): void {
    for (const { address, watch } of this.targets) if (!addresses.includes(address)) watch.end();
    this.targets = addresses.map(
      (address) =>
        this.targets.find((known) => known.address === address) ?? {
          address,
          watch: new Watch(address, this.spec.healthCheck, this.changed),
          connections: 0,
        },
    );
  }

  health(): TargetHealth[] {
    const { listenPort } = this.spec;
    return this.targets.map(({ address, watch }) => ({ address, listenPort, status: watch.status }));
  }

  private pass(client: net.Socket): void {
    const healthy = this.targets.filter(({ watch }) => watch.status === "healthy");
    const target = choose(healthy, this.algorithm(), this.turn++);
    if (!target) return void client.destroy();
    const peer = net.connect({ host: target.address, port: this.spec.destinationPort, allowHalfOpen: true });
    target.connections++;
    this.open.add(client);
    const limit = setTimeout(() => peer.destroy(), connectLimit);
    peer.once("connect", () => {
      clearTimeout(limit);
      if (this.spec.proxyprotocol) {
        const source = { address: client.remoteAddress ?? "0.0.0.0", port: client.remotePort ?? 0 };
        const destination = { address: client.localAddress ?? "0.0.0.0", port: client.localPort ?? 0 };
        peer.write(proxyHeader({ source, destination }, 2));
      }
      client.pipe(peer);
      peer.pipe(client);
    });
    for (const [one, other] of [
      [client, peer],
      [peer, client],
    ] as const) {
      one.setNoDelay(true);
      one.on("error", () => other.destroy());
      one.once("close", () => other.destroy());
    }
    peer.once("close", () => {
      clearTimeout(limit);
      target.connections--;
      this.open.delete(client);
    });
  }

  end(): void {
    this.server.close();
    for (const { watch } of this.targets) watch.end();
    for (const client of this.open) client.destroy();
  }
}
