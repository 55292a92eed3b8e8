import * as fs from "node:fs";

/** The processes of that name which this one sees: the pod's, whose containers share their process namespace. */
export function processesNamed(name: string, proc = "/proc"): number[] {
  return fs
    .readdirSync(proc)
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => {
      try {
        return fs.readFileSync(`${proc}/${pid}/comm`, "utf8").trim() === name;
      } catch {
        return false; // ended in the meantime
      }
    })
    .map(Number);
}

/** How the server is signalled. */
export type Signal = (signal: NodeJS.Signals) => boolean;

/** Sends a signal to the server. Says whether there was one to send it to. */
export function signalVault(signal: NodeJS.Signals): boolean {
  const found = processesNamed("vault");
  for (const pid of found) process.kill(pid, signal);
  return found.length > 0;
}
