import { MachineError } from "./nspawn/process";

/** Drivers that make machines on this computer, best first. */
export const localDrivers = ["nspawn", "docker", "multipass"] as const;
export type LocalDriver = (typeof localDrivers)[number];

export const isLocalDriver = (driver: unknown): driver is LocalDriver => localDrivers.includes(driver as LocalDriver);

/** What was chosen for a stack, and is kept with it. */
export interface Choice {
  driver: LocalDriver;
  /** Driver docker only: machines are reached by published ports, not by their addresses. */
  publish?: boolean;
}

/** What was found out about this computer: why a driver can't be used, in a few words, or undefined where it can. */
export type Hindrances = Record<LocalDriver, string | undefined>;

/** A choice with its reason, for people. */
export interface Reasoned {
  driver: LocalDriver;
  why: string;
}

const merits: Record<LocalDriver, string> = {
  nspawn: "root on Linux with systemd-nspawn: machines start in seconds",
  docker: "the Docker engine answers",
  multipass: "Multipass answers",
};

/** What to do for a driver that can't be used. */
const remedies: Record<LocalDriver, string> = {
  nspawn: "on Debian or Ubuntu: apt-get install systemd-container iproute2 iptables, and run this with sudo",
  docker: "install and start Docker Desktop, Colima, Rancher Desktop or the packages of Docker Engine",
  multipass: "install Multipass (snap install multipass, brew install multipass, or its installer for Windows)",
};

/**
 * Picks the driver: the one that is forced, else the first of {@link localDrivers} that can be used now. Missing packages count
 * against a driver, since another that is there needs none.
 * @throws MachineError that names what to install, where there is none
 */
export function chooseDriver(hindrances: Hindrances, forced?: string): Reasoned {
  if (forced !== undefined) {
    if (isLocalDriver(forced)) return { driver: forced, why: "GROUNDWORK_DRIVER says so" };
    throw new MachineError(`GROUNDWORK_DRIVER is "${forced}": it must be ${localDrivers.join(", ")}`);
  }
  const driver = localDrivers.find((one) => hindrances[one] === undefined);
  if (driver === undefined) {
    throw new MachineError(
      [
        "this computer has nothing that could make machines; any one of these will do (docs/runbooks/drivers.md):",
        ...localDrivers.map((one) => `  ${one}: ${hindrances[one]}; ${remedies[one]}`),
      ].join("\n"),
    );
  }
  const passed = localDrivers.slice(0, localDrivers.indexOf(driver)).map((one) => `${one} not: ${hindrances[one]}`);
  return { driver, why: [merits[driver], ...passed].join("; ") };
}

type Given = Record<string, unknown>;
const mapOf = (value: unknown): Given => (typeof value === "object" && value !== null ? (value as Given) : {});

/** The settings without what only the machines' own network has. */
function withoutNetwork({ network, firewall, ...rest }: Given): Given {
  // The network that may administrate is this computer's end of the bridge, and there is none.
  const own = mapOf(network)["cidr"];
  const { adminSources, ...others } = mapOf(firewall);
  const kept = Array.isArray(adminSources) ? adminSources.filter((source) => source !== own) : [];
  const wall = { ...others, ...(kept.length > 0 ? { adminSources: kept } : {}) };
  return { ...rest, ...(firewall === undefined ? {} : { firewall: wall }) };
}

/**
 * A target as it was written, with the choice in it: what the program then reads. A target that leaves nothing to choose is given
 * back as it is.
 */
export function settle(target: unknown, choice: Choice): unknown {
  const given = mapOf(target);
  if (given["driver"] !== "auto" && given["driver"] !== choice.driver) return target;
  const { driver } = choice;
  if (driver === "docker") {
    const { bridge: _, ...network } = mapOf(given["network"]);
    const publish = { enabled: choice.publish ?? false, ...mapOf(given["publish"]) };
    return { ...given, driver, ...(given["network"] === undefined ? {} : { network }), publish };
  }
  if (given["driver"] !== "auto" || driver === "nspawn") return { ...given, driver };
  const { cpus, ...rest } = withoutNetwork(given);
  return { ...rest, driver, ...(typeof cpus === "number" ? { cpus: Math.ceil(cpus) } : {}) };
}

/** Whether the target leaves something to be chosen. */
export function leavesChoice(target: unknown): boolean {
  const { driver, publish } = mapOf(target);
  return driver === "auto" || (driver === "docker" && mapOf(publish)["enabled"] === undefined);
}

/** What a decision is made from, besides the target; each is asked only where it is needed. */
export interface Grounds {
  stack: string;
  /** What the stack was made with, where it was. */
  known?: Choice;
  /** GROUNDWORK_DRIVER. */
  forced?: string;
  hindrances: () => Hindrances;
  /** Whether the Docker engine's machines must be reached by published ports. */
  publishNeeded: () => boolean;
}

/**
 * What makes the stack's machines, with a line that says which and why; undefined where the target leaves nothing to choose. A
 * stack that exists stays with what it was made with.
 * @throws MachineError where the settings or GROUNDWORK_DRIVER say otherwise, or there is nothing to choose from
 */
export function decide(target: unknown, grounds: Grounds): { choice: Choice; line: string } | undefined {
  const { stack, known, forced } = grounds;
  const given = mapOf(target)["driver"];
  if (given !== "auto" && !isLocalDriver(given)) return undefined;
  const wanted = given === "auto" ? forced : given;
  if (known) {
    if (wanted !== undefined && wanted !== known.driver) {
      throw new MachineError(
        `stack ${stack} stands on ${known.driver}, and ${given === "auto" ? "GROUNDWORK_DRIVER" : "target.driver"} says ${wanted}: ` +
          `its machines can't move. Go back to ${known.driver}, or \`npm run destroy -- --stack ${stack}\` first`,
      );
    }
    if (!leavesChoice(target)) return undefined;
    // Kept without it: an older run, or settings that said it then.
    if (known.driver !== "docker" || known.publish !== undefined) {
      return { choice: known, line: `machines of ${stack}: ${known.driver}, as it was made` };
    }
  }
  if (!leavesChoice(target)) return undefined;
  const { driver, why } =
    given !== "auto"
      ? { driver: given, why: "the settings say so" }
      : forced !== undefined
        ? chooseDriver(noHindrances, forced)
        : chooseDriver(grounds.hindrances());
  if (driver !== "docker") return { choice: { driver }, line: `machines of ${stack}: ${driver} (${why})` };
  const publish = grounds.publishNeeded();
  const reach = publish ? "reached by ports of this computer" : "reached at their own addresses";
  return { choice: { driver, publish }, line: `machines of ${stack}: ${driver}, ${reach} (${why})` };
}

const noHindrances: Hindrances = { nspawn: undefined, docker: undefined, multipass: undefined };

/** A resource of a checkpoint, as far as it is looked at. */
export interface StateResource {
  type: string;
  inputs?: Record<string, unknown>;
}

const types: Record<string, LocalDriver> = {
  "groundwork:host:NspawnHost": "nspawn",
  "groundwork:host:DockerHost": "docker",
  "groundwork:host:MultipassHost": "multipass",
};

/** What a stack stands on, by its state; undefined where it has no machines of this computer. */
export function choiceOfState(resources: readonly StateResource[]): Choice | undefined {
  const driver = resources.map(({ type }) => types[type]).find((found) => found !== undefined);
  if (driver !== "docker") return driver === undefined ? undefined : { driver };
  const described = resources.map(({ inputs }) => mapOf(inputs?.["environment"])["GROUNDWORK_MACHINE"]);
  return { driver, publish: described.some((text) => typeof text === "string" && text.includes('"published":')) };
}
