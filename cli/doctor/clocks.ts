import type { KubeReader } from "../kube";
import { broken, Finding, reason, well } from "./finding";

/** Seconds that clocks may differ: certificates and tokens that were just made must not be from the future. */
const tolerance = 5;

/** Seconds between two renewals of a node's lease, as the kubelet does it by default (10), and one that was missed. */
const leaseAge = 25;

const runbook = "docs/runbooks/clock.md";
const remedy =
  "Put the clock right (`timedatectl`, time synchronisation on every machine). Nothing is lost: certificates and leases that " +
  "look expired or not yet valid work again, and what did expire is issued anew.";

interface Lease {
  metadata: { name: string };
  spec: { renewTime?: string };
}

const seconds = (ms: number): string => `${Math.abs(Math.round(ms / 1000))} s`;

/** Compares this computer's clock, the API server's, and each node's as its lease tells. */
export async function checkClocks(kube: KubeReader, now: () => Date = () => new Date()): Promise<Finding[]> {
  try {
    const before = now().getTime();
    const server = (await kube.date()).getTime();
    const here = (before + now().getTime()) / 2;
    const { items } = await kube.get<{ items: Lease[] }>(
      "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases",
    );
    // The header has whole seconds.
    const ahead = here - server - 500;
    const own =
      Math.abs(ahead) <= tolerance * 1000
        ? well("clock of this computer", "agrees with the API server's")
        : broken(
            "clock of this computer",
            `${seconds(ahead)} ${ahead > 0 ? "ahead of" : "behind"} the API server's`,
            remedy,
            runbook,
          );
    return [own, ...items.map((lease) => judgeLease(lease, server))];
  } catch (error) {
    return [broken("clocks", `not compared: ${reason(error)}`, "Mend the way to the API server first.")];
  }
}

function judgeLease({ metadata, spec }: Lease, server: number): Finding {
  const check = `clock of ${metadata.name}`;
  const renewed = Date.parse(spec.renewTime ?? "");
  if (Number.isNaN(renewed)) return broken(check, "its lease was never renewed", "See whether its kubelet runs.");
  const age = server - renewed;
  if (age < -(tolerance + 1) * 1000) {
    return broken(check, `${seconds(age)} ahead of the API server's`, remedy, runbook);
  }
  if (age > (leaseAge + tolerance) * 1000) {
    return broken(
      check,
      `its lease is ${seconds(age)} old: the node is silent, or its clock is behind`,
      "See whether the machine and its kubelet run; if they do, put its clock right.",
      runbook,
    );
  }
  return well(check, "agrees with the API server's");
}
