import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { readArguments } from "./arguments";
import { log, reason } from "./log";
import { until } from "./loop";
import { Signal, signalVault } from "./process";
import { answerProbes } from "./probes";
import { generationOf, isEmpty, noteGeneration, setAside } from "./store";

/** Bytes at which the audit log is set aside, and how many old ones are kept. */
const auditLimit = 64 * 1024 * 1024;
const auditKept = 4;

/** Sends SIGHUP when the certificate has changed: the server reads it anew, and opens its audit log anew. */
export class CertificateWatch {
  private last: string | undefined;
  constructor(private readonly file: string) {}

  /** Whether it has changed since the last time. */
  changed(): boolean {
    if (!fs.existsSync(this.file)) return false;
    const digest = createHash("sha256").update(fs.readFileSync(this.file)).digest("hex");
    const before = this.last;
    this.last = digest;
    return before !== undefined && before !== digest;
  }

  look(): void {
    if (!this.changed()) return;
    const told = signalVault("SIGHUP");
    log("the listener's certificate has changed", { told });
  }
}

/** Sets a large audit log aside. Says whether it did: then the server has to open a new one. */
export function rotateAudit(file: string, limit = auditLimit, kept = auditKept): boolean {
  if (!fs.existsSync(file) || fs.statSync(file).size < limit) return false;
  fs.rmSync(`${file}.${kept}`, { force: true });
  for (let age = kept - 1; age >= 1; age -= 1) {
    if (fs.existsSync(`${file}.${age}`)) fs.renameSync(`${file}.${age}`, `${file}.${age + 1}`);
  }
  fs.renameSync(file, `${file}.1`);
  return true;
}

/** Follows the count of initialisations that were given up. */
export function followGeneration(store: string, file: string, signal: Signal = signalVault): void {
  if (!fs.existsSync(file)) return;
  const wanted = Number(fs.readFileSync(file, "utf8"));
  if (!Number.isInteger(wanted) || wanted <= generationOf(store)) return;
  // Noted first: killed in between, an empty restart is missed and the job counts once more; the other way round, good data would be lost.
  noteGeneration(store, wanted);
  if (!isEmpty(store)) setAside(store, signal);
}

/** Runs beside a server of the primary. */
export async function guard(argv: string[]): Promise<void> {
  const names = readArguments(argv, { needed: ["certificate", "store", "generation", "audit", "port"] });
  const certificate = new CertificateWatch(names.certificate);
  const probes = answerProbes(Number(names.port), { ready: () => true, status: () => ({ state: "guarding" }) });
  await until(
    async () => {
      certificate.look();
      if (rotateAudit(names.audit)) log("the audit log was set aside", { told: signalVault("SIGHUP") });
      followGeneration(names.store, names.generation);
      probes.turned();
      await Promise.resolve();
    },
    1,
    (error) => log("guard", { error: reason(error) }),
  );
}
