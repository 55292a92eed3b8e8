import * as fs from "node:fs";
import * as path from "node:path";

/**
 * Removes the lock of an engine that died from a file backend. Pulumi's own lock names the process that holds it, so one that
 * still runs on this machine keeps its lock. Other backends are left to Pulumi: their holder may be anywhere.
 * @throws where the holder still runs
 */
export function releaseStaleLock(backendUrl: string, stack: string): void {
  for (const lock of locks(backendUrl, stack)) {
    const holder = JSON.parse(fs.readFileSync(lock, "utf8")) as { pid?: number };
    if (holder.pid && isRunning(holder.pid)) {
      throw new Error(
        `another run works on stack ${stack} (process ${holder.pid}): wait for it, or end it and try again`,
      );
    }
    fs.rmSync(lock, { force: true });
  }
}

function locks(backendUrl: string, stack: string): string[] {
  if (!backendUrl.startsWith("file://")) return [];
  const folder = path.join(backendUrl.slice("file://".length), ".pulumi", "locks");
  if (!fs.existsSync(folder)) return [];
  return (fs.readdirSync(folder, { recursive: true }) as string[])
    .filter((file) => file.endsWith(".json") && path.basename(path.dirname(file)) === stack)
    .map((file) => path.join(folder, file));
}

/** Whether the process runs. One that was killed and that nobody has waited for yet (state Z) does not. */
function isRunning(pid: number): boolean {
  try {
    // The state is the first field behind the command's name, which may itself hold blanks and parentheses.
    const state = fs.readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\) /s, "")[0];
    return state !== "Z" && state !== "X";
  } catch {
    return false;
  }
}
