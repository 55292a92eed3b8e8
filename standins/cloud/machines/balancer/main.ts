import * as fs from "node:fs";
import * as path from "node:path";
import { writeAtomically } from "../../../../cli/paths";
import type { LoadBalancerSpec, TargetHealth } from "../../backend";
import { Service } from "./forwarder";

/** Files of a balancer in its folder: what it is told, and what it tells. */
export const files = (folder: string) => ({
  told: path.join(folder, "told.json"),
  health: path.join(folder, "health.json"),
  pid: path.join(folder, "pid"),
  log: path.join(folder, "log"),
});

/** What the health file holds. */
export interface Report {
  targets: TargetHealth[];
}

/** Runs a balancer inside its network namespace: reads its folder now and at each SIGHUP, until it is ended. */
export function main(folder: string): void {
  const { told, health } = files(folder);
  const services = new Map<string, Service>();
  let algorithm: LoadBalancerSpec["algorithm"] = "round_robin";
  const report = (): void => {
    const targets = [...services.values()].flatMap((service) => service.health());
    // The folder is gone when the balancer is being deleted.
    if (fs.existsSync(folder)) writeAtomically(health, JSON.stringify({ targets } satisfies Report), 0o600);
  };
  const read = (): void => {
    const spec = JSON.parse(fs.readFileSync(told, "utf8")) as LoadBalancerSpec;
    algorithm = spec.algorithm;
    const wanted = new Map(spec.services.map((service) => [JSON.stringify(service), service]));
    for (const [key, service] of services) {
      if (wanted.has(key)) continue;
      service.end();
      services.delete(key);
    }
    const addresses = [...new Set(spec.targets.map(({ address }) => address))];
    for (const [key, service] of wanted) {
      if (!services.has(key)) services.set(key, new Service(service, () => algorithm, report));
      services.get(key)!.setTargets(addresses);
    }
    report();
  };
  process.on("SIGHUP", read);
  process.on("uncaughtException", (error) => console.error(error));
  read();
  // One without services waits for its first.
  setInterval(() => undefined, 2 ** 30);
}
