import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { poll, sshBanner } from "../nspawn/process";

/** What the check is told by its environment; the private key comes by standard input. */
export interface CheckSpec {
  name: string;
  address: string;
  port: number;
  hostKey?: string;
  /** Debian packages that the baseline needs. */
  packages: string[];
}

/** Milliseconds that a machine may take to answer, as one that is just starting does. */
const answerLimit = 30_000;

/** What an existing machine tells of itself. */
export interface Checked {
  /** Its host public key. */
  hostKey: string;
  /** It is a container, and so shares the kernel of the computer that holds it. */
  sharesKernel: boolean;
}

/** What must be there before anything is installed: prints what is not, after a first line that says what it is. */
export const questions = (packages: string[]): string => `
systemd-detect-virt --container --quiet && echo container || echo machine
[ "$(id -u)" = 0 ] || echo "the user is not root"
[ -d /run/systemd/system ] || echo "systemd does not run it"
[ "$(uname -m)" = x86_64 ] || echo "its processor is $(uname -m), and the artefacts are for x86_64"
[ "$(df -Pk /var/lib | awk 'NR == 2 { print $4 }')" -gt 5242880 ] || echo "it has less than 5 GiB free below /var/lib"
command -v apt-get > /dev/null || echo "it has no apt-get: Debian 12 or a later Debian or Ubuntu is needed"
for package in ${packages.join(" ")}; do
  dpkg-query -W -f '\${db:Status-Status}' $package 2> /dev/null | grep -qx installed && continue
  LC_ALL=C apt-cache policy $package 2> /dev/null | grep -q 'Candidate: [^(]' ||
    echo "the package $package is missing and apt knows no source of it: run apt-get update there, or install it"
done`;

/** What SSH's own words mean for the one who has to act on them. */
export function explain(spec: CheckSpec, words: string, publicKey: string): string {
  const where = `machine ${spec.name} (${spec.address}:${spec.port})`;
  if (/Permission denied/.test(words)) {
    return `${where} refuses the key: add this line to /root/.ssh/authorized_keys there, then run this again:\n${publicKey}`;
  }
  if (/Host key verification failed|no matching host key type/i.test(words)) {
    return `${where} shows another host key than target.hosts says: is it the machine you mean? If it was installed anew, change its hostKey.`;
  }
  return `${where}: ${words.trim()}`;
}

/** Looks whether the machine can be worked on. Throws an error that says what to do. */
export async function check(spec: CheckSpec, privateKey: string): Promise<Checked> {
  const banner = await poll(answerLimit, 500, () => sshBanner(spec.address, spec.port));
  if (!banner) {
    throw new Error(
      `machine ${spec.name}: no SSH server answers at ${spec.address}:${spec.port}. Is it on, is the address right, ` +
        `and does its firewall let this computer in?`,
    );
  }
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-ssh-"));
  try {
    const keyFile = path.join(folder, "key");
    const knownHosts = path.join(folder, "known_hosts");
    fs.writeFileSync(keyFile, privateKey.trimEnd() + "\n", { mode: 0o600 });
    const publicKey =
      spawnSync("ssh-keygen", ["-y", "-P", "", "-f", keyFile], { encoding: "utf8" }).stdout?.trim() ?? "";
    const place = spec.port === 22 ? spec.address : `[${spec.address}]:${spec.port}`;
    if (spec.hostKey) fs.writeFileSync(knownHosts, `${place} ${spec.hostKey}\n`);
    const options = {
      BatchMode: "yes",
      IdentitiesOnly: "yes",
      ConnectTimeout: "10",
      UserKnownHostsFile: knownHosts,
      GlobalKnownHostsFile: "/dev/null",
      HashKnownHosts: "no",
      StrictHostKeyChecking: spec.hostKey ? "yes" : "accept-new",
      // A pinned key is of one kind; where none is pinned the kind that every machine has comes first.
      HostKeyAlgorithms: spec.hostKey
        ? algorithms(spec.hostKey.split(" ")[0]!)
        : "ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512",
    };
    const done = spawnSync(
      "ssh",
      [
        ...Object.entries(options).flatMap(([key, value]) => ["-o", `${key}=${value}`]),
        ...["-F", "/dev/null", "-i", keyFile, "-p", String(spec.port), `root@${spec.address}`, "sh -s"],
      ],
      { encoding: "utf8", input: questions(spec.packages) },
    );
    if (done.error) {
      throw new Error(`the OpenSSH client is missing on this computer: install the package openssh-client`);
    }
    if (done.status !== 0) throw new Error(explain(spec, done.stderr, publicKey));
    const [kind, ...missing] = done.stdout.trim().split("\n");
    if (missing.length > 0) {
      throw new Error(`machine ${spec.name} (${spec.address}) can't be used: ${missing.join("; ")}`);
    }
    const hostKey = fs.readFileSync(knownHosts, "utf8").trim().split(" ").slice(1, 3).join(" ");
    return { hostKey, sharesKernel: kind === "container" };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** Signature algorithms of a kind of key: RSA's are not named as the key is. */
const algorithms = (kind: string): string => (kind === "ssh-rsa" ? "rsa-sha2-512,rsa-sha2-256" : kind);

/** Entry point: prints what {@link check} gives as JSON, or why the machine can't be used. */
export async function main(): Promise<void> {
  try {
    const spec = JSON.parse(process.env["GROUNDWORK_SSH"] ?? "") as CheckSpec;
    process.stdout.write(JSON.stringify(await check(spec, fs.readFileSync(0, "utf8"))) + "\n");
  } catch (error) {
    process.stderr.write((error as Error).message + "\n");
    process.exitCode = 1;
  }
}
