import { docker, dockerSucceeds, inspect, Network } from "./engine";
import { reachesAddresses } from "./machine";

/**
 * Whether machines must be reached by published ports: the engine's networks are not this computer's, as with every engine in a
 * virtual machine. Found out by making a network and looking for its end here.
 */
export function publishNeeded(): boolean {
  if (process.platform !== "linux") return true;
  const name = `groundwork-probe-${process.pid}`;
  docker("network", "create", "--driver", "bridge", name);
  try {
    const gateway = inspect<Network>("network", name)?.IPAM.Config?.[0]?.Gateway;
    return gateway === undefined || !reachesAddresses(gateway);
  } finally {
    dockerSucceeds("network", "rm", name);
  }
}
