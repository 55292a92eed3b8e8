import { spawn, type ChildProcess } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { ArtifactError } from "./errors";

/**
 * Runs `body` while holding an exclusive lock that other processes respect. The kernel keeps the lock (flock), held by a
 * small process that ends as soon as its standard input closes: a run that is killed never leaves a stale lock.
 * @param onWait called once when somebody else holds it
 */
export async function exclusively<T>(file: string, onWait: () => void, body: () => T | Promise<T>): Promise<T> {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  let holder = await hold(file, ["--nonblock"]);
  if (holder === undefined) {
    onWait();
    holder = await hold(file, []);
  }
  if (holder === undefined) throw new ArtifactError(`cannot lock ${file}`);
  try {
    return await body();
  } finally {
    const ended = new Promise((resolve) => holder.on("close", resolve));
    holder.stdin?.end();
    await ended;
  }
}

/** Detached, so that the terminal's Ctrl-C does not take the lock away before the work under it has stopped. */
function hold(file: string, flags: string[]): Promise<ChildProcess | undefined> {
  const child = spawn("flock", [...flags, "--exclusive", file, "sh", "-c", "echo held; exec cat >/dev/null"], {
    stdio: ["pipe", "pipe", "ignore"],
    detached: true,
  });
  return new Promise((resolve, reject) => {
    child.on("error", (error) => reject(new ArtifactError(`cannot run flock (package util-linux): ${error.message}`)));
    child.on("close", () => resolve(undefined));
    child.stdout?.once("data", () => resolve(child));
  });
}
