import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { readIfThere, run, withLock } from "../../../components/host/nspawn/process";
import { writeAtomically } from "../../../cli/paths";
import { CloudError } from "../backend";

/** The emulated internet: a link between this computer and the provider's router, behind which all public addresses lie. */
export interface Internet {
  /** First three parts of the IPv4 network of 256 addresses. */
  v4: string;
  /** First three groups of the IPv6 networks, of 48 bits. */
  v6: string;
}

/** One emulated cloud on this computer: where it keeps its state, and what it calls things. */
export interface Site {
  folder: string;
  /** Begins the names of its bridge, namespaces and machines: `gwc` and six digits that stand for the folder. */
  mark: string;
  internet: Internet;
}

/**
 * Networks that nobody has: documentation (RFC 5737) and, when that is in use after all, the range that devices are measured in
 * (RFC 2544). The other two of the RFC are left out: sandboxes like to put their only machine into the first and what names are
 * resolved to into the third, where no look at this computer finds it.
 */
const candidates = ["198.51.100", ...Array.from({ length: 16 }, (_, index) => `198.18.${index}`)];

/** Whether this computer speaks with addresses of the network: it has one, a route leads there, or a name is said to be there. */
function isTaken(network: string): boolean {
  const words = [
    run("ip", "-4", "-o", "addr", "show"),
    run("ip", "-4", "route", "show", "table", "all"),
    ...["/etc/hosts", "/etc/resolv.conf"].map((file) => readIfThere(file) ?? ""),
  ];
  return words.some((text) => new RegExp(`(^|\\s)${network.replaceAll(".", "\\.")}\\.`, "m").test(text));
}

const siteFile = (folder: string): string => path.join(folder, "site.json");

/** Addresses of an internet: this computer is the first, the provider's router the second, servers and balancers have the rest. */
export const addresses = ({ v4, v6 }: Internet) => ({
  computer: `${v4}.1`,
  router: `${v4}.2`,
  prefix: 24,
  /** Given out. A range of its own, so that a test can be somebody else in the internet: .3 to .127 are nobody's. */
  publicV4: `${v4}.128/26`,
  computerV6: `${v6}:ffff::1`,
  routerV6: `${v6}:ffff::2`,
  publicV6: `${v6}::/49`,
});

/** The state of an emulated cloud below `folder`, which is made when it is missing. */
export async function openSite(folder: string): Promise<Site> {
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const real = fs.realpathSync(folder);
  const mark = `gwc${createHash("sha256").update(real).digest("hex").slice(0, 6)}`;
  const known = readIfThere(siteFile(real));
  if (known) return { folder: real, mark, internet: JSON.parse(known) as Internet };
  return withLock("cloud-site", () => {
    const free = candidates.findIndex((network) => !isTaken(network));
    if (free < 0) throw new CloudError("resource_unavailable", "all networks for an emulated internet are in use here");
    const internet = { v4: candidates[free]!, v6: `2001:db8:${(free + 1).toString(16)}` };
    writeAtomically(siteFile(real), JSON.stringify(internet) + "\n", 0o600);
    return { folder: real, mark, internet };
  });
}

/** Forgets the site's network: the next emulator with this folder may get another one. */
export const closeSite = ({ folder }: Site): void => fs.rmSync(siteFile(folder), { force: true });

export type Kind = "network" | "server" | "volume" | "balancer";

/** Folder of one object. */
export const folderOf = ({ folder }: Site, kind: Kind, id: number): string => path.join(folder, `${kind}s`, String(id));

/** What the emulator last said of an object, with what the backend itself remembers of it; undefined when there is none. */
export function readObject<T>(site: Site, kind: Kind, id: number): T | undefined {
  const text = readIfThere(path.join(folderOf(site, kind, id), "object.json"));
  return text === undefined ? undefined : (JSON.parse(text) as T);
}

/** As {@link readObject}, for one that must be there. */
export function needObject<T>(site: Site, kind: Kind, id: number): T {
  const found = readObject<T>(site, kind, id);
  if (!found) throw new CloudError("not_found", `${kind} ${id} has no machine behind it: was its folder removed?`);
  return found;
}

/** Mode 0600: user data may hold a host key. */
export const writeObject = (site: Site, kind: Kind, id: number, object: unknown): void =>
  writeAtomically(path.join(folderOf(site, kind, id), "object.json"), JSON.stringify(object, null, 2) + "\n", 0o600);

/** Removes what is known of an object; its folder stays, so that it is found when what follows is cut short. */
export const forgetObject = (site: Site, kind: Kind, id: number): void =>
  fs.rmSync(path.join(folderOf(site, kind, id), "object.json"), { force: true });

/** Removes the object's folder with all that is in it. */
export function removeObject(site: Site, kind: Kind, id: number): void {
  const folder = folderOf(site, kind, id);
  fs.rmSync(folder, { recursive: true, force: true });
  // rmdir spares one in which other objects lie.
  try {
    fs.rmdirSync(path.dirname(folder));
  } catch {
    return;
  }
}

/** Ids of all objects of a kind that have a folder, half-made ones included. */
export function listObjects({ folder }: Site, kind: Kind): number[] {
  const all = path.join(folder, `${kind}s`);
  return fs.existsSync(all) ? fs.readdirSync(all).map(Number).filter(Number.isInteger) : [];
}
