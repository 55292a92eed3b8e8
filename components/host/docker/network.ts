import { MachineError } from "../nspawn/process";
import { docker, dockerSucceeds, inspect, labels, Network } from "./engine";
import { ContainerSpec, networkName } from "./plan";

/** Throws where the network of the stack's name is another's, or has other addresses. */
export function checkNetwork(spec: ContainerSpec, found: Network, owner: string): void {
  const name = networkName(spec.stack);
  const { [labels.stack]: stack, [labels.owner]: whose } = found.Labels ?? {};
  if (stack !== spec.stack || whose !== owner) {
    throw new MachineError(`the network ${name} exists and is not ours: remove it, or give the stack another name`);
  }
  const subnet = found.IPAM.Config?.[0]?.Subnet;
  if (subnet !== spec.cidr) {
    throw new MachineError(
      `the stack's network has ${subnet}, not ${spec.cidr}: go back to it, or destroy the stack before you change target.network.cidr`,
    );
  }
}

/** Makes the stack's network with fixed addresses, unless it is there. */
export function ensureNetwork(spec: ContainerSpec, owner: string): void {
  const name = networkName(spec.stack);
  const look = () => inspect<Network>("network", name);
  const found = look();
  if (found) return checkNetwork(spec, found, owner);
  try {
    docker(
      ...["network", "create", "--driver", "bridge", "--subnet", spec.cidr, "--gateway", spec.gateway],
      ...["--label", `${labels.stack}=${spec.stack}`, "--label", `${labels.owner}=${owner}`, name],
    );
  } catch (error) {
    // Another machine of the stack may have been quicker.
    const other = look();
    if (other) return checkNetwork(spec, other, owner);
    const text = (error as Error).message;
    if (!/overlap/i.test(text)) throw error;
    throw new MachineError(`target.network.cidr ${spec.cidr} is in use: choose another (${text})`);
  }
}

/** Removes the stack's network when no machine is in it any more. */
export function removeNetwork(stack: string): void {
  const found = inspect<Network>("network", networkName(stack));
  if (found?.Labels?.[labels.stack] !== stack) return;
  // The engine refuses while a container is in it, also one that another run has just made.
  dockerSucceeds("network", "rm", networkName(stack));
}
