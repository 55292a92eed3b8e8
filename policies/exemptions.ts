import { groupOf, Resource } from "./resource";
import { systemNamespaces } from "./kinds";
import { hasUnknown } from "./unknown";
import { groundwork, Rule, RuleMetadata, StackRule } from "./rule";

/** A resource that may differ from one rule, until a date. */
export interface Exemption {
  /**
   * `Kind/namespace/name`, `Kind/name` for cluster-scoped objects, or a URN. `*` stands for any characters in the
   * namespace, the name and the URN; the kind is spelled out.
   */
  resource: string;
  /** Id of the rule. */
  rule: string;
  /** Why it must differ, in at least 30 characters. */
  reason: string;
  /** Who answers for it: a person or a team. */
  owner: string;
  /** Last day on which it holds, as YYYY-MM-DD in UTC; at most 400 days ahead. */
  expires: string;
  /**
   * Namespace whose presence in the stack says that the exempted part is installed; elsewhere the exemption is not
   * expected to be used. Default: the namespace of `resource`. Where that is none, a pattern, or one of the system's own,
   * the exemption must be used by stacks in which something matches `resource`.
   */
  installedIn?: string;
  /**
   * For a custom resource of which an operator makes pods: the operator's account and a label of all that it makes. Inside the
   * cluster the exemption then holds for these pods, if that account or Kubernetes' own controllers made them.
   */
  madeBy?: { account: string; label: string };
}

/** Longest time that an exemption may be given for, in days. */
const longest = 400;
const day = 24 * 60 * 60 * 1000;

/** Rule that watches over the exemptions themselves; it can't be exempted from. */
export const exemptionsRule: RuleMetadata = {
  id: "valid-exemptions",
  title: "Exemptions are complete, in force and used",
  severity: "medium",
  controls: [groundwork("What must differ is a typed exemption")],
  remediation: "Remove the exemption, or renew it with a new date and the reason checked again.",
};

/** What an exemption's `resource` says. */
export interface Pattern {
  kind?: string;
  namespace?: string;
  matches(resource: Pick<Resource, "urn" | "object">): boolean;
}

const glob = (text: string): RegExp =>
  new RegExp(`^${text.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replace(/\*/g, ".*")}$`);

/** Reads an exemption's `resource`. */
export function parsePattern(pattern: string): Pattern {
  if (pattern.startsWith("urn:")) {
    const urn = glob(pattern);
    return { matches: (resource) => urn.test(resource.urn) };
  }
  const parts = pattern.split("/");
  const [kind = "", namespace, name] = parts.length === 2 ? [parts[0], undefined, parts[1]] : parts;
  const expected = { namespace: namespace === undefined ? undefined : glob(namespace), name: glob(name ?? "") };
  return {
    kind,
    namespace,
    matches: ({ object }) =>
      object !== undefined &&
      object.kind === kind &&
      (expected.namespace ? expected.namespace.test(object.namespace ?? "") : object.namespace === undefined) &&
      expected.name.test(object.name),
  };
}

/** The last moment at which an exemption holds; not a number where its date is none. */
const endOf = ({ expires }: Exemption): number =>
  /^\d{4}-\d{2}-\d{2}$/.test(expires) ? Date.parse(`${expires}T23:59:59Z`) : NaN;

/** Whether an exemption's date has not passed. */
export const inForce = (exemption: Exemption, now: Date): boolean => endOf(exemption) >= now.getTime();

/** What is wrong with an exemption as it is written; nothing when it is in order. */
function flaws(exemption: Exemption, rules: readonly Rule[], now: Date): string[] {
  const { resource, rule, reason, owner, expires } = exemption;
  const urn = resource.startsWith("urn:");
  const end = endOf(exemption);
  return [
    ...(urn && !/^urn:pulumi:[^:]*::[^:]*::[^*]+::.+$/.test(resource) ? ["has a URN without a plain type"] : []),
    ...(urn || /^[A-Za-z]+(\/[^/]+){1,2}$/.test(resource)
      ? []
      : ["has a resource that is no Kind/namespace/name, Kind/name or URN"]),
    ...(rules.some(({ id }) => id === rule) ? [] : ["names a rule that does not exist"]),
    ...(reason.trim().length >= 30 ? [] : ["has no reason of at least 30 characters"]),
    ...(owner.trim() !== "" ? [] : ["has no owner"]),
    ...(Number.isNaN(end) ? ["has an expiry that is no date like 2027-01-31"] : []),
    ...(end - now.getTime() > longest * day ? [`expires in more than ${longest} days`] : []),
    ...(end < now.getTime() ? [`expired on ${expires}`] : []),
  ];
}

/** The exemptions of a pack: says which violations they cover, and remembers which of them were needed. */
export class Exemptions {
  private readonly entries: readonly { exemption: Exemption; pattern: Pattern }[];
  private readonly used = new Set<Exemption>();
  private readonly rules: readonly Rule[];
  private readonly now: () => Date;

  /** `rules` are those that may be exempted from; `now` is asked at each use, so that a test can set the clock. */
  constructor(list: readonly Exemption[], rules: readonly Rule[], now: () => Date = () => new Date()) {
    this.entries = list.map((exemption) => ({ exemption, pattern: parsePattern(exemption.resource) }));
    this.rules = rules;
    this.now = now;
  }

  /** Takes down that a rule looks at a resource: where a value is not known yet, nobody can say that it needs no exemption. */
  consider(rule: string, resource: Resource): void {
    for (const { exemption, pattern } of this.entries) {
      if (exemption.rule !== rule || this.used.has(exemption) || !pattern.matches(resource)) continue;
      if (hasUnknown(resource.props)) this.used.add(exemption);
    }
  }

  /** Whether a violation of a rule by a resource is exempted today. */
  cover(rule: string, resource: Resource | undefined): boolean {
    if (!resource) return false;
    const found = this.entries.filter((entry) => entry.exemption.rule === rule && entry.pattern.matches(resource));
    const valid = found.filter((entry) => flaws(entry.exemption, this.rules, this.now()).length === 0);
    for (const { exemption } of valid) this.used.add(exemption);
    return valid.length > 0;
  }

  /**
   * Stack rule, to be run last: each exemption is well formed, in force, and was needed by this stack if what it is
   * for is installed. Resource rules run for every resource before stack rules do, so that uses are known by then.
   */
  rule(): StackRule {
    return {
      ...exemptionsRule,
      scope: "stack",
      check: (resources, report) => {
        const seen = new Set<string>();
        for (const { exemption, pattern } of this.entries) {
          const title = `the exemption of ${exemption.resource} from ${exemption.rule}`;
          if (seen.has(title)) report(undefined, `${title} is there twice`);
          seen.add(title);
          const wrong = flaws(exemption, this.rules, this.now());
          for (const flaw of wrong) report(undefined, `${title} ${flaw}`);
          const missed = wrong.length === 0 && !this.used.has(exemption) && installed(exemption, pattern, resources);
          if (missed) report(undefined, `${title} is not needed by any resource`);
        }
      },
    };
  }
}

function installed(exemption: Exemption, pattern: Pattern, resources: readonly Resource[]): boolean {
  const namespace = exemption.installedIn ?? pattern.namespace;
  const tells = namespace !== undefined && !namespace.includes("*") && !systemNamespaces.has(namespace);
  if (!tells) return resources.some((resource) => pattern.matches(resource));
  return resources.some(
    ({ object }) =>
      object !== undefined &&
      (object.namespace === namespace ||
        (object.kind === "Namespace" && groupOf(object) === "" && object.name === namespace)),
  );
}
