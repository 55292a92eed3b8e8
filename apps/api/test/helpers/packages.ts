import { execFileSync } from "node:child_process";
import * as fs from "node:fs";

/**
 * Installs Debian packages that tests need, where that can be done: as root, with apt. Its lists may be empty or old on a new
 * machine, so they are read anew first. Whether it worked is for the caller to look.
 */
export function installPackages(...names: string[]): void {
  if (process.getuid?.() !== 0 || !fs.existsSync("/usr/bin/apt-get")) return;
  const options = { stdio: "ignore", env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } } as const;
  try {
    execFileSync("apt-get", ["update"], options);
    execFileSync("apt-get", ["install", "-y", "--no-install-recommends", ...names], options);
  } catch {
    // Refused, or not in this distribution: the caller's message says what to do.
  }
}
