import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

/** How an attempt to log in ended, as far as a stranger can see. */
export type Attempt = "refused" | "no answer" | "in";

/**
 * A stranger on the machines' bridge: a network namespace of its own with an address that belongs to nobody. It guesses with a
 * key that nobody knows, a few times, at machines that the test made.
 */
export class Guesser {
  private readonly namespace = `gwguess${process.pid}`;
  private readonly links = [`gwga${process.pid}`, `gwgb${process.pid}`] as const;
  private readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-guesser-"));
  readonly address: string;

  /**
   * @param bridge the machines' bridge on this computer
   * @param address an address of its network that is free, with the prefix's length: `10.49.0.66/24`
   */
  constructor(bridge: string, address: string) {
    this.address = address.split("/")[0]!;
    const [outside, inside] = this.links;
    const key = path.join(this.folder, "key");
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key);
    run("ip", "netns", "add", this.namespace);
    run("ip", "link", "add", outside, "type", "veth", "peer", "name", inside);
    run("ip", "link", "set", inside, "netns", this.namespace);
    run("ip", "link", "set", outside, "master", bridge, "up");
    this.within("ip", "addr", "add", address, "dev", inside);
    this.within("ip", "link", "set", inside, "up");
    this.within("ip", "link", "set", "lo", "up");
  }

  /** Tries once to log in with a wrong key; `seconds` without an answer are "no answer". */
  guess(machine: string, seconds = 20): Attempt {
    return attempt(["ip", "netns", "exec", this.namespace], path.join(this.folder, "key"), machine, seconds);
  }

  /** The same wrong key from this computer's own address. */
  guessAsOperator(machine: string): Attempt {
    return attempt([], path.join(this.folder, "key"), machine, 20);
  }

  /** Which of the TCP ports take a connection within a second. */
  openPorts(machine: string, ports: number[]): number[] {
    const probe = (port: number) => `(timeout 1 bash -c 'echo > /dev/tcp/${machine}/${port}' && echo ${port}) &`;
    const done = this.within("bash", "-c", `{ ${ports.map(probe).join(" ")} wait; } 2> /dev/null`);
    return done.stdout
      .split("\n")
      .filter(Boolean)
      .map(Number)
      .sort((a, b) => a - b);
  }

  /** Speaks from another address from now on, as a pod of another node does; the machine has to know the way back. */
  actAs(address: string, network: string): void {
    this.within("ip", "address", "replace", `${address}/32`, "dev", this.links[1]);
    this.within("ip", "route", "replace", network, "dev", this.links[1], "src", address);
  }

  /** Takes the namespace and its link away. Safe to call twice. */
  remove(): void {
    spawnSync("ip", ["netns", "delete", this.namespace]);
    spawnSync("ip", ["link", "delete", this.links[0]]);
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  private within(...command: string[]) {
    return spawnSync("ip", ["netns", "exec", this.namespace, ...command], { encoding: "utf8" });
  }
}

function run(command: string, ...args: string[]): void {
  const done = spawnSync(command, args, { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`${command} ${args.join(" ")}: ${done.stderr}`);
}

function attempt(prefix: string[], key: string, machine: string, seconds: number): Attempt {
  const options = [
    ...["BatchMode=yes", "IdentitiesOnly=yes", `ConnectTimeout=${seconds}`, "LogLevel=ERROR"],
    ...["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"],
  ].flatMap((option) => ["-o", option]);
  const [command = "ssh", ...args] = [
    ...prefix,
    "ssh",
    "-F",
    "/dev/null",
    "-i",
    key,
    ...options,
    `root@${machine}`,
    "true",
  ];
  // A ban that comes between two packets leaves the client waiting for as long as the server would.
  const done = spawnSync(command, args, { encoding: "utf8", timeout: (seconds + 2) * 1000 });
  if (done.status === 0) return "in";
  return /Permission denied \(publickey\)/.test(done.stderr) ? "refused" : "no answer";
}
