/** Turns scenarios into tests: each is run against every plugin that is present, checked, and the outcomes are compared. */
import assert from "node:assert/strict";
import { type Outcome, type Scenario, run } from "./scenario";
import { type Provider, subjects } from "./subjects";

/** A scenario and what must hold after it, whichever plugin it ran against. */
export interface Case {
  scenario: () => Scenario;
  expect: (steps: Outcome[]) => void;
  /** Takes what differs between two runs, such as folders and ports, out of texts. */
  scrub?: (text: string) => string;
}

/** Registers the tests of a provider. */
export function contract(provider: Provider, cases: Case[]): void {
  describe(`contract: ${provider}`, function () {
    this.timeout(600_000);
    // About one run of the suite in twenty reads a state that is one step behind what the engine said; the cause is not known yet.
    this.retries(1);
    for (const c of cases) {
      it(`${c.scenario().name} (${kinds(provider)})`, async () => {
        const outcomes: { kind: string; steps: Outcome[] }[] = [];
        for (const subject of subjects(provider)) {
          const scenario = c.scenario();
          const steps = await run(subject, scenario, c.scrub);
          outcomes.push({ kind: subject.kind, steps });
          try {
            c.expect(steps);
          } catch (e) {
            throw new Error(`with the ${subject.kind} plugin: ${(e as Error).message}`, { cause: e });
          }
        }
        const official = outcomes.find((o) => o.kind === "official");
        const standIn = outcomes.find((o) => o.kind === "stand-in");
        if (official && standIn) {
          assert.deepEqual(
            standIn.steps.map(comparable),
            official.steps.map(comparable),
            "stand-in (actual) differs from official (expected)",
          );
        }
      });
    }
  });
}

/** The part of an outcome in which a stand-in and the official plugin must agree. The wording of errors is each one's own. */
function comparable(o: Outcome): unknown {
  return { ops: o.ops, diffs: o.diffs, failed: o.errors.length > 0, resources: o.resources };
}

function kinds(provider: Provider): string {
  try {
    return subjects(provider)
      .map((s) => s.kind)
      .join(" and ");
  } catch {
    return "no plugin";
  }
}

/** The value of a property below its secret mark. */
export function bare(v: unknown): unknown {
  return typeof v === "object" && v !== null && "secret" in v ? v.secret : v;
}

/** An output of a resource after a step; throws when the resource is not there. */
export function output(o: Outcome, resource: string, property: string): unknown {
  const r = o.resources[resource];
  assert.ok(r, `no resource ${resource} in the state`);
  return (r.outputs as Record<string, unknown>)[property];
}
