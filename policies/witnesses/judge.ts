import type { Exemption } from "../exemptions";
import { exemptionOf } from "../scanners";
import type { Rule } from "../rule";
import type { RenderedObject } from "./objects";
import type { Reason } from "./reasons";
import type { Finding } from "./scanners";

/** A finding with what was decided about it; nothing decided is a finding that stands. */
export interface Verdict {
  finding: Finding;
  /** The exemption from the rule of the pack that looks for the same. */
  exemption?: Exemption;
  /** Why the check does not fit here. */
  reason?: Reason;
}

/** What a scan's findings come to. */
export interface Judgement {
  verdicts: Verdict[];
  /** Findings that nobody has decided about. */
  open: Finding[];
  /** Reasons that at least one finding needed. */
  used: Set<Reason>;
}

/** What the findings are held against. */
export interface Decisions {
  rules: readonly Rule[];
  exemptions: readonly Exemption[];
  reasons: readonly Reason[];
}

/** Looks for each finding what was decided: the pack's exemptions first, then the reasons. */
export function judge(findings: readonly Finding[], objects: readonly RenderedObject[], by: Decisions): Judgement {
  const verdicts = findings.map((finding): Verdict => {
    const exemption = exemptionOf(finding, by.rules, by.exemptions);
    const reason = exemption ? undefined : by.reasons.find((one) => covers(one, finding, objects));
    return { finding, exemption, reason };
  });
  return {
    verdicts,
    open: verdicts.filter(({ exemption, reason }) => !exemption && !reason).map(({ finding }) => finding),
    used: new Set(verdicts.flatMap(({ reason }) => (reason ? [reason] : []))),
  };
}

function covers(reason: Reason, finding: Finding, objects: readonly RenderedObject[]): boolean {
  if (reason.scanner !== finding.scanner || reason.check !== finding.check) return false;
  return reason.where?.(finding.object, objects) ?? true;
}
