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

/**
 * Removes sidecar files (`<stack>.json.attrs`) of a file backend that a killed engine left empty or half-written: the checkpoint itself is
 * replaced as a whole, but with such a file beside it the engine says "failed to load checkpoint: EOF" and does nothing more. Without
 * the file it reads the checkpoint. Harmless beside a running engine, which writes the file anew at each step.
 */
export function dropBrokenSidecars(backendUrl: string): void {
  if (!backendUrl.startsWith("file://")) return;
  const folder = path.join(backendUrl.slice("file://".length), ".pulumi");
  if (!fs.existsSync(folder)) return;
  const files = fs.readdirSync(folder, { recursive: true }) as string[];
  for (const file of files.filter((name) => name.endsWith(".attrs"))) {
    if (!isJson(path.join(folder, file))) fs.rmSync(path.join(folder, file), { force: true });
  }
}

function isJson(file: string): boolean {
  try {
    JSON.parse(fs.readFileSync(file, "utf8"));
    return true;
  } catch {
    return false;
  }
}
