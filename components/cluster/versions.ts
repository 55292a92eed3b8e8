import { K3S_RELEASES } from "../../artifacts/catalogue/cluster";

/** A K3s release, taken apart: `v1.36.3+k3s1` is Kubernetes 1.36.3 in K3s's first packaging of it. */
export interface Release {
  minor: number;
  patch: number;
  packaging: number;
}

/** Reads a release's name; undefined for what is none. The major version has been 1 since there is Kubernetes. */
export function parseRelease(version: string): Release | undefined {
  const found = /^v1\.(\d+)\.(\d+)\+k3s(\d+)$/.exec(version);
  if (!found) return undefined;
  const [minor, patch, packaging] = found.slice(1).map(Number) as [number, number, number];
  return { minor, patch, packaging };
}

/** Negative where `a` is older than `b`, zero where they are the same. */
export function compareReleases(a: string, b: string): number {
  const [one, other] = [parseRelease(a), parseRelease(b)];
  if (!one || !other) return a.localeCompare(b);
  return one.minor - other.minor || one.patch - other.patch || one.packaging - other.packaging;
}

/**
 * The release that `cluster.version` means: itself, or the newest of a minor version. Unset: the catalogue's first. A release that
 * the catalogue does not have is given back as it is; a minor version that it does not have is undefined.
 */
export function chooseRelease(wanted?: string, releases: readonly string[] = K3S_RELEASES): string | undefined {
  if (wanted === undefined) return releases[0];
  if (wanted.startsWith("v")) return wanted;
  return releases.filter((one) => one.startsWith(`v${wanted}.`)).sort((a, b) => compareReleases(b, a))[0];
}

/**
 * Why a cluster must not go from one release to another, or undefined where it may: one minor version at a time, and never back
 * to an earlier one (kubernetes.io/releases/version-skew-policy, docs.k3s.io/upgrades/manual).
 */
export function stepProblem(from: string, to: string): string | undefined {
  const [here, there] = [parseRelease(from), parseRelease(to)];
  if (!here || !there) return undefined;
  if (there.minor < here.minor) {
    return `the cluster runs ${from}, and Kubernetes does not go back a minor version: leave cluster.version at 1.${here.minor}, or restore a snapshot of etcd from before its upgrade`;
  }
  if (there.minor > here.minor + 1) {
    return `the cluster runs ${from}, and Kubernetes skips no minor version: set cluster.version to a release of 1.${here.minor + 1} before ${to}`;
  }
  return undefined;
}
