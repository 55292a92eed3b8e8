import { ensureArtifacts } from "./artifacts";
import { chosenStack } from "./stack";
import { say, table } from "./ui";

/**
 * `npm run scan`: what kube-score and trivy say of a stack's rendered objects, and what was decided about each finding. Exit code
 * 0 when nothing stands open.
 */
export async function scan(options: { stack?: string; json?: boolean }): Promise<number> {
  const stack = chosenStack(options.stack);
  const { scanArtifacts, stackObjects, witness } = await import("../policies/witnesses/stack");
  await ensureArtifacts(scanArtifacts);
  const { titleOf } = await import("../policies/witnesses/objects");
  const objects = await stackObjects(stack);
  const { verdicts, open, passed } = await witness(objects);

  const rows = verdicts.map(({ finding, exemption, reason }) => ({
    object: titleOf(finding.object),
    scanner: finding.scanner === "kubeScore" ? "kube-score" : "trivy",
    check: finding.check,
    severity: finding.severity,
    message: finding.message,
    decided: exemption ? `exempt from ${exemption.rule}: ${exemption.reason}` : (reason?.because ?? "OPEN"),
  }));
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ stack, objects: objects.length, passed, findings: rows }, null, 2)}\n`);
  } else {
    process.stdout.write(`${decisionTable(rows)}\n`);
  }
  for (const row of rows.filter(({ decided }) => decided === "OPEN")) {
    say(`${row.object}: ${row.scanner} ${row.check} (${row.severity}): ${row.message}`);
  }
  say(
    `${objects.length} objects of ${stack}: ${passed.kubeScore} checks of kube-score and ${passed.trivy} of trivy passed, ` +
      `${rows.length - open.length} findings are decided, ${open.length} stand open`,
  );
  return open.length === 0 ? 0 : 1;
}

interface Row {
  object: string;
  scanner: string;
  check: string;
  decided: string;
}

/** One line a decision: many objects share one. */
function decisionTable(rows: Row[]): string {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = `${row.scanner} ${row.check} ${row.decided}`;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  const lines = [...groups.values()].map((same) => {
    const [{ scanner, check, object, decided }] = same as [Row];
    const where = same.length === 1 ? object : `${same.length} objects`;
    return [scanner, check, where, decided];
  });
  return table(["scanner", "check", "where", "what was decided"], lines);
}
