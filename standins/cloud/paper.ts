import type { Backend, LoadBalancerSpec, TargetHealth } from "./backend";

/** A backend without bodies: everything succeeds, every target of a balancer is healthy. */
export function paper(): Backend & { calls: string[] } {
  const balancers = new Map<number, LoadBalancerSpec>();
  const calls: string[] = [];
  const call =
    (name: string) =>
    async (...args: unknown[]): Promise<void> => {
      calls.push(`${name} ${JSON.stringify(args)}`);
    };
  return {
    /** What was asked of it, in order, for tests. */
    calls,
    createNetwork: call("createNetwork"),
    deleteNetwork: call("deleteNetwork"),
    setRoutes: call("setRoutes"),
    createServer: call("createServer"),
    deleteServer: call("deleteServer"),
    powerOn: call("powerOn"),
    powerOff: call("powerOff"),
    reboot: call("reboot"),
    rebuild: call("rebuild"),
    setPrivate: call("setPrivate"),
    setPublic: call("setPublic"),
    changeType: call("changeType"),
    setFirewall: call("setFirewall"),
    createVolume: call("createVolume"),
    async attachVolume(volume, server) {
      await call("attachVolume")(volume.id, server);
      return { linuxDevice: `/dev/disk/by-id/scsi-0HC_Volume_${volume.id}` };
    },
    detachVolume: call("detachVolume"),
    resizeVolume: call("resizeVolume"),
    deleteVolume: call("deleteVolume"),
    async setLoadBalancer(balancer) {
      await call("setLoadBalancer")(balancer);
      balancers.set(balancer.id, balancer);
    },
    async deleteLoadBalancer(id) {
      await call("deleteLoadBalancer")(id);
      balancers.delete(id);
    },
    async healthOf(id): Promise<TargetHealth[]> {
      const { targets = [], services = [] } = balancers.get(id) ?? {};
      return targets.flatMap(({ address }) =>
        services.map(({ listenPort }) => ({ address, listenPort, status: "healthy" as const })),
      );
    },
    createImage: async () => ({ sizeGb: 1.5 }),
    stop: async () => undefined,
  };
}
