import { execFile } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { promisify } from "node:util";
import type { ScannerFinding } from "../scanners";
import { RenderedObject, titleOf, writeObjects } from "./objects";

const run = promisify(execFile);
/** Reports of a large stack are some megabytes. */
const maxBuffer = 256 * 1024 * 1024;

/** Where the scanners' programs are. */
export interface ScannerTools {
  kubeScore: string;
  trivy: string;
}

/** Version of Kubernetes that objects are judged for, as kube-score names it. */
const kubernetesVersion = "v1.34";
/** Checks of kube-score that are off unless asked for, and that hold here. */
const optionalChecks = ["container-seccomp-profile", "container-ports-check"];

/** What a scanner says against one object. */
export interface Finding extends ScannerFinding {
  object: RenderedObject;
  severity: string;
  message: string;
}

/** What a scan came to. */
export interface Scan {
  findings: Finding[];
  /** Checks that passed, by scanner: none would say that a scanner looked at nothing. */
  passed: { kubeScore: number; trivy: number };
}

/** Shows the objects to both scanners. Nothing is fetched, and no cluster is asked. */
export async function scan(objects: readonly RenderedObject[], tools: ScannerTools): Promise<Scan> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-scan-"));
  try {
    const files = writeObjects(objects, folder);
    const [score, trivy] = await Promise.all([
      kubeScore(tools.kubeScore, folder, files),
      trivyConfig(tools.trivy, folder, files),
    ]);
    return {
      findings: [...score.findings, ...trivy.findings].sort((a, b) => (order(a) < order(b) ? -1 : 1)),
      passed: { kubeScore: score.passed, trivy: trivy.passed },
    };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const order = ({ object, scanner, check, message }: Finding): string =>
  [titleOf(object), scanner, check, message].join("\0");

type Part = { findings: Finding[]; passed: number };

/** The part of kube-score's JSON (version 2) that is read. */
interface ScoredObject {
  file_name: string;
  checks:
    | {
        check: { id: string; name: string };
        /** 1 critical, 5 warning, 7 and 10 in order. */
        grade: number;
        skipped: boolean;
        comments: { path: string; summary: string }[] | null;
      }[]
    | null;
}

async function kubeScore(command: string, folder: string, files: Map<string, RenderedObject>): Promise<Part> {
  const argv = [
    "score",
    "--output-format",
    "json",
    "--kubernetes-version",
    kubernetesVersion,
    ...optionalChecks.flatMap((check) => ["--enable-optional-test", check]),
    ...files.keys(),
  ];
  const { stdout } = await run(command, argv, { cwd: folder, maxBuffer }).catch((error: { stdout?: string }) => {
    // It ends with 1 when it has found something.
    if (error.stdout?.startsWith("[")) return { stdout: error.stdout };
    throw error;
  });
  // It writes null where it has nothing to say.
  const scored = (JSON.parse(stdout) as ScoredObject[] | null) ?? [];
  const checks = scored.flatMap(({ file_name, checks }) => (checks ?? []).map((one) => ({ ...one, file: file_name })));
  const bad = checks.filter(({ grade, skipped }) => !skipped && grade < 7);
  return {
    passed: checks.filter(({ grade, skipped }) => !skipped && grade >= 7).length,
    findings: bad.map(({ check, grade, comments, file }) =>
      finding("kubeScore", check.id, files.get(path.basename(file)), {
        severity: grade === 1 ? "CRITICAL" : "WARNING",
        message: [...new Set((comments ?? []).map(({ summary }) => summary))].join("; ") || check.name,
      }),
    ),
  };
}

/** What artifacts/recipes/trivy-config prints. */
interface TrivyReport {
  passed: number;
  findings: { id: string; severity: string; message: string; file: string }[];
}

async function trivyConfig(command: string, folder: string, files: Map<string, RenderedObject>): Promise<Part> {
  const { stdout } = await run(command, [folder], { maxBuffer });
  const report = JSON.parse(stdout) as TrivyReport;
  return {
    passed: report.passed,
    findings: report.findings.map(({ id, severity, message, file }) =>
      finding("trivy", id.replace(/^AVD-/, ""), files.get(path.basename(file)), { severity, message }),
    ),
  };
}

function finding(
  scanner: Finding["scanner"],
  check: string,
  object: RenderedObject | undefined,
  what: { severity: string; message: string },
): Finding {
  if (!object) throw new Error(`${scanner} names an object in ${check} that it was not given`);
  const { kind, metadata } = object;
  return { scanner, check, kind, namespace: metadata.namespace, name: metadata.name, object, ...what };
}
