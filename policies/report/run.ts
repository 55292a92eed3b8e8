import { Secret } from "@pulumi/policy";
import { exemptions as ownExemptions } from "../exemption-list";
import { rules as allRules } from "../rules";
import { runPack, RunOptions, TestResource, Violation } from "./engine-like";
import { Graph, GraphNode } from "../capture/graph";

/**
 * Runs the policy pack over a captured graph, as a preview by the engine would: default providers stand for missing ones, and
 * what the program marked as secret is marked for the rules.
 */
export function policyViolations(graph: Graph, run: Partial<RunOptions> = {}): Promise<Violation[]> {
  return runPack(graph.nodes.map(toTestResource), { rules: allRules, exemptions: ownExemptions, ...run });
}

/** A node of the graph as the pack is shown it. */
export function toTestResource({ urn, type, name, inputs, secrets, provider, protect }: GraphNode): TestResource {
  const module = type.split(":")[0]!;
  const named = provider ?? defaultProvider(urn, module);
  return { urn, type, name, props: marked(inputs, secrets), provider: named, protect };
}

function defaultProvider(urn: string, module: string): string {
  return `${urn.split("::").slice(0, 2).join("::")}::pulumi:providers:${module}::default`;
}

/** Puts the marks back that the capture took off. */
function marked(value: any, secrets: readonly string[], path = ""): any {
  if (secrets.includes(path)) return new Secret(value);
  if (typeof value !== "object" || value === null) return value;
  const join = (key: string) => (path === "" ? key : Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`);
  const children = Object.entries(value).map(([key, child]) => [key, marked(child, secrets, join(key))]);
  return Array.isArray(value) ? children.map(([, child]) => child as unknown) : Object.fromEntries(children);
}
