import type { PolicyConfigSchema, Severity } from "@pulumi/policy";
import { describe, Resource } from "./resource";
import { Container, containersOf, Pod, podsOf, PodSpec, podSpecIn, podTitle } from "./pods";

/** The publications whose controls the rules implement. */
export type Framework =
  | "CIS Kubernetes 1.11.1"
  | "NSA-CISA 1.2"
  | "PSS Baseline"
  | "PSS Restricted"
  | "Kubernetes documentation"
  | "Trivy"
  | "CVE"
  | "Groundwork";

/** A control as its publication names it: a number where it has numbers, else the section's title. */
export interface Control {
  framework: Framework;
  id: string;
}

/** CIS Kubernetes Benchmark 1.11.1, section 5 "Policies". */
export const cis = (id: string): Control => ({ framework: "CIS Kubernetes 1.11.1", id });
/** NSA and CISA, "Kubernetes Hardening Guidance" 1.2 (August 2022); its sections have titles, no numbers. */
export const nsa = (id: string): Control => ({ framework: "NSA-CISA 1.2", id });
/** Pod Security Standards, level Baseline; ids are the names in the table of controls. */
export const baseline = (id: string): Control => ({ framework: "PSS Baseline", id });
/** Pod Security Standards, level Restricted. */
export const restricted = (id: string): Control => ({ framework: "PSS Restricted", id });
/** Where no benchmark has a control: a page of the Kubernetes documentation. */
export const kubernetes = (id: string): Control => ({ framework: "Kubernetes documentation", id });
/** Check of the Trivy scanner, such as `KSV-0014`. */
export const trivy = (id: string): Control => ({ framework: "Trivy", id });
/** A decision of this project's design. */
export const groundwork = (id: string): Control => ({ framework: "Groundwork", id });

/** Ids of a scanner's checks that look for what a rule looks for. */
export interface ScannerIds {
  /** Checks of `trivy config`, as `KSV-0014`; older releases write `KSV014`. */
  trivy?: readonly string[];
  /** Checks of kube-score, as `pod-probes`. */
  kubeScore?: readonly string[];
}

/** Kinds of objects as the API server names them in admission rules. */
export interface AdmissionTarget {
  group: string;
  resources: readonly string[];
}

/**
 * The rule as the cluster's own admission applies it: a CEL expression that is true of what is in order. `policies/admission.ts`
 * says which variables it may use. It must not fail on any object that the API server accepts: an error refuses the object.
 */
export type ClusterForm =
  /** Judged for each container as `c`, or for each pod, of anything that makes pods. */
  | { per: "container" | "pod"; valid: string }
  /** Judged for each object of these kinds. */
  | { per: "object"; of: readonly AdmissionTarget[]; valid: string | ((config: RuleConfig) => string) };

/** What a rule is, apart from its check. */
export interface RuleMetadata {
  /** Kebab-case, unique, the same as the file's name. */
  id: string;
  title: string;
  severity: Severity;
  controls: readonly Control[];
  /** What scanners of manifests call the same thing, so that an exemption from the rule holds for their findings, too. */
  scanners?: ScannerIds;
  /** One sentence in the imperative: what to do about a violation. */
  remediation: string;
  /** The rule for the cluster's own admission, where one object is enough to judge by. */
  cluster?: ClusterForm;
  /** Settings that `--policy-pack-config` may give the rule. */
  configSchema?: PolicyConfigSchema;
}

/** Values of a rule's `configSchema`. */
export type RuleConfig = Record<string, any>;
/** Reports a violation: a clause that says what is wrong where, without the full stop. */
export type Report = (what: string) => void;
/** Reports a violation of a stack rule at a resource, or at the stack where no resource is to blame. */
export type StackReport = (resource: Resource | undefined, what: string) => void;

/** Checks one resource at a time, before it is created or changed. */
export interface ResourceRule extends RuleMetadata {
  scope: "resource";
  check(resource: Resource, report: Report, config: RuleConfig): void;
  /**
   * Mends in `props` what the check would report of the resource; true when it changed something. Runs only where the rule's level
   * is `remediate`. Only for what can not break the resource: a field that was left open gets its safe value.
   */
  remediate?(resource: Resource, props: Record<string, any>): boolean;
}

/** Checks all resources together, when the program has run (in previews too). */
export interface StackRule extends RuleMetadata {
  scope: "stack";
  check(resources: readonly Resource[], report: StackReport, config: RuleConfig): void;
}

export type Rule = ResourceRule | StackRule;

/** What a check found: a predicate such as `runs privileged`, several of them, or nothing. */
export type Finding = string | readonly string[] | undefined;

const all = (finding: Finding): readonly string[] =>
  finding === undefined ? [] : typeof finding === "string" ? [finding] : finding;

/** Changes the spec of a pod where a field was left open; true when it did. */
export type Mend = (spec: PodSpec) => boolean;

/** A rule for each container, init container and ephemeral container of each pod of any kind. */
export function containerRule(
  metadata: RuleMetadata,
  check: (container: Container, pod: Pod, config: RuleConfig) => Finding,
  mend?: Mend,
): ResourceRule {
  return podsRule(
    metadata,
    (pod, report, config) => {
      for (const container of containersOf(pod)) {
        for (const what of all(check(container, pod, config))) report(`${container.title} of ${podTitle(pod)} ${what}`);
      }
    },
    mend,
  );
}

/** A rule for each pod of any kind. */
export function podRule(metadata: RuleMetadata, check: (pod: Pod) => Finding, mend?: Mend): ResourceRule {
  return podsRule(
    metadata,
    (pod, report) => {
      for (const what of all(check(pod))) report(`${ofPod(pod)} ${what}`);
    },
    mend,
  );
}

const ofPod = (pod: Pod) => (pod.resource.object?.kind === "Pod" ? podTitle(pod) : `the pod of ${podTitle(pod)}`);

function podsRule(
  metadata: RuleMetadata,
  check: (pod: Pod, report: Report, config: RuleConfig) => void,
  mend?: Mend,
): ResourceRule {
  return {
    ...metadata,
    scope: "resource",
    check: (resource, report, config) => podsOf(resource).forEach((pod) => check(pod, report, config)),
    ...(mend && {
      remediate: (resource: Resource, props: Record<string, any>) => {
        const spec = resource.object?.patch === false ? podSpecIn(resource, props) : undefined;
        return spec !== undefined && mend(spec);
      },
    }),
  };
}

/** A rule for the Kubernetes objects of some kinds; every kind when none is named. */
export function objectRule(
  metadata: RuleMetadata,
  kinds: readonly string[],
  check: (props: Record<string, any>, resource: Resource, config: RuleConfig) => Finding,
): ResourceRule {
  return {
    ...metadata,
    scope: "resource",
    check: (resource, report, config) => {
      const object = resource.object;
      if (!object || (kinds.length > 0 && !kinds.includes(object.kind))) return;
      for (const what of all(check(resource.props, resource, config))) report(`${describe(resource)} ${what}`);
    },
  };
}

/** A rule for the stack as a whole. */
export const stackRule = (metadata: RuleMetadata, check: StackRule["check"]): StackRule => ({
  ...metadata,
  scope: "stack",
  check,
});

/** The message of a violation: what and where, what to do, and which controls say so. */
export function message(rule: RuleMetadata, what: string): string {
  const controls = rule.controls.map((control) => `${control.framework} ${control.id}`).join("; ");
  return `${what.charAt(0).toUpperCase()}${what.slice(1)}. ${rule.remediation} (${rule.id}: ${controls})`;
}
