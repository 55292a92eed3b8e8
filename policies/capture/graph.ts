import type { Source } from "./source";

/** A resource as a program registered it. */
export interface GraphNode {
  urn: string;
  type: string;
  /** Logical name. */
  name: string;
  /** Has a provider; components have none. */
  custom: boolean;
  parent?: string;
  /** Inputs with secrets unwrapped; `secrets` says where they were. */
  inputs: Record<string, any>;
  secrets: string[];
  dependencies: string[];
  propertyDependencies: Record<string, string[]>;
  /** URN of the provider that was named, by the resource or by a parent. */
  provider?: string;
  protect: boolean;
  deletedWith?: string;
  /** Made in a callback of `apply`: previews don't show it, and `dependsOn` doesn't wait for it. */
  insideApply: boolean;
  /** Where in the checkout it was made, as far as the SDK says. */
  source?: Source;
}

/** One line of a golden file. */
interface GoldenNode {
  urn: string;
  type: string;
  deps: string[];
}

const stackType = "pulumi:pulumi:Stack";

/** All resources of a program's run, and questions about their order. */
export class Graph {
  readonly nodes: readonly GraphNode[];
  private readonly byUrn: ReadonlyMap<string, GraphNode>;
  private readonly closures = new Map<string, ReadonlySet<string>>();

  constructor(nodes: readonly GraphNode[]) {
    this.nodes = nodes.filter((node) => node.type !== stackType);
    this.byUrn = new Map(this.nodes.map((node) => [node.urn, node]));
  }

  /** @throws where there is none */
  get(urn: string): GraphNode {
    const node = this.byUrn.get(urn);
    if (!node) throw new Error(`no resource ${urn} in the graph`);
    return node;
  }

  /** All resources of a type (`kubernetes:core/v1:Secret`), or whose type matches. */
  ofType(type: string | RegExp): GraphNode[] {
    return this.nodes.filter((node) => (typeof type === "string" ? node.type === type : type.test(node.type)));
  }

  /** @throws where there is none or more than one */
  one(type: string | RegExp, name?: string): GraphNode {
    const found = this.ofType(type).filter((node) => name === undefined || node.name === name);
    if (found.length !== 1) {
      throw new Error(`${found.length} resources of type ${String(type)} called ${name ?? "anything"}`);
    }
    return found[0]!;
  }

  /** Kubernetes objects of a kind, in a namespace if one is named. */
  objects(kind: string, namespace?: string): GraphNode[] {
    return this.nodes.filter(
      ({ type, inputs }) =>
        type.startsWith("kubernetes:") &&
        inputs["kind"] === kind &&
        (namespace === undefined || inputs["metadata"]?.namespace === namespace),
    );
  }

  /** What a resource waits for directly: dependencies, providers and parents, as the engine counts them. */
  edges(node: GraphNode): string[] {
    const all = [
      ...node.dependencies,
      ...Object.values(node.propertyDependencies).flat(),
      ...(node.provider === undefined ? [] : [node.provider]),
      ...(node.parent === undefined ? [] : [node.parent]),
    ];
    return [...new Set(all)].filter((urn) => this.byUrn.has(urn)).sort();
  }

  /** Everything that must be done before a resource is begun. */
  before(node: GraphNode): ReadonlySet<string> {
    const known = this.closures.get(node.urn);
    if (known) return known;
    const found = new Set<string>();
    const open = [...this.edges(node)];
    for (let urn = open.pop(); urn !== undefined; urn = open.pop()) {
      if (found.has(urn)) continue;
      found.add(urn);
      open.push(...this.edges(this.get(urn)));
    }
    this.closures.set(node.urn, found);
    return found;
  }

  /** Whether `later` is begun only when `earlier` is done. A component stands for all that is in it. */
  isAfter(later: GraphNode, earlier: GraphNode): boolean {
    const first = this.work(earlier);
    const then = this.work(later);
    return (
      first.length > 0 && then.length > 0 && then.every((node) => first.every(({ urn }) => this.before(node).has(urn)))
    );
  }

  /** What the engine does for a node: the node itself, or everything in a component. */
  private work(node: GraphNode): GraphNode[] {
    return node.custom ? [node] : this.descendants(node).filter(({ custom }) => custom);
  }

  children(node: GraphNode): GraphNode[] {
    return this.nodes.filter((child) => child.parent === node.urn);
  }

  descendants(node: GraphNode): GraphNode[] {
    return this.children(node).flatMap((child) => [child, ...this.descendants(child)]);
  }

  /** Chain of parents, the nearest first. */
  ancestors(node: GraphNode): GraphNode[] {
    const parent = node.parent === undefined ? undefined : this.byUrn.get(node.parent);
    return parent ? [parent, ...this.ancestors(parent)] : [];
  }

  /** The graph for a golden file: sorted, without what changes from release to release. */
  toGolden(): GoldenNode[] {
    return this.nodes
      .map((node) => ({ urn: shortUrn(node.urn), type: node.type, deps: this.edges(node).map(shortUrn).sort() }))
      .sort((a, b) => (a.urn < b.urn ? -1 : a.urn > b.urn ? 1 : 0));
  }
}

/** A URN without its stack and project, with digests and versions replaced. */
function shortUrn(urn: string): string {
  return urn
    .split("::")
    .slice(2)
    .join("::")
    .replace(/\b[0-9a-f]{12,64}\b/g, "<digest>")
    .replace(/\bv?\d+\.\d+\.\d+(?:[-+][0-9a-z.]+)*\b/g, "<version>");
}
