import * as assert from "node:assert/strict";
import { toResource } from "../../../policies/resource";
import { containersOf, podsOf } from "../../../policies/pods";
import { Graph, GraphNode } from "./graph";
import { canary } from "./mocks";
import { isBelow, strings } from "./wire";

const kubernetes = /^kubernetes:/;
const components = /^kubernetes:(helm\.sh|yaml|kustomize)\//;
/** Kubernetes limits most names to a DNS label. */
const longestName = 63;

const isObject = (node: GraphNode) => node.custom && kubernetes.test(node.type) && !components.test(node.type);
const title = (node: GraphNode) => `${node.type} "${node.name}"`;

/** Fails with all findings at once, so that one run shows all there is to mend. */
function none(findings: readonly string[], property: string): void {
  assert.deepEqual([...findings].sort(), [], property);
}

/** Every Kubernetes object names its provider, and that provider is a resource of the graph. */
export function assertExplicitProviders(graph: Graph): void {
  const known = new Set(graph.ofType("pulumi:providers:kubernetes").map((node) => node.urn));
  const bad = graph.nodes.filter(
    (node) => isObject(node) && !(node.provider !== undefined && known.has(node.provider)),
  );
  none(bad.map(title), "Kubernetes resources have an explicit provider");
}

/** Every resource has a parent in the graph but the components that the program's root makes. */
export function assertParents(graph: Graph, roots: readonly string[]): void {
  const urns = new Set(graph.nodes.map((node) => node.urn));
  const orphans = graph.nodes.filter((node) => node.parent === undefined || !urns.has(node.parent));
  none(orphans.filter((node) => !roots.includes(node.name)).map(title), "resources outside the roots have a parent");
}

/**
 * Logical names are kebab-case and named after the component that they belong to, one above it, or another one that they are made
 * for (a certificate), and they and the objects' names are short enough for Kubernetes. `groups` only hold others together.
 */
export function assertNames(graph: Graph, groups: readonly string[] = []): void {
  const components = graph.nodes.filter(({ custom }) => !custom).map(({ name }) => name);
  const findings = graph.nodes.flatMap((node) => {
    const above = graph.ancestors(node).filter(({ name }) => !groups.includes(name));
    const belongs =
      above.length === 0 ||
      above.some(({ name }) => isNamedAfter(node.name, name)) ||
      components.some((name) => node.name.startsWith(`${name}-`));
    const name = node.inputs["metadata"]?.name;
    return [
      ...(/^[a-z0-9]+(-[a-z0-9]+)*$/.test(node.name) ? [] : [`${title(node)} is not in kebab case`]),
      ...(belongs ? [] : [`${title(node)} is not named after its component (${above[0]?.name})`]),
      ...(node.name.length <= longestName ? [] : [`${title(node)} is longer than ${longestName}`]),
      ...(isObject(node) && !/CustomResourceDefinition$/.test(node.type) && String(name ?? "").length > longestName
        ? [`${title(node)} has an object name longer than ${longestName}`]
        : []),
    ];
  });
  none(findings, "names");
}

/** `api`, `api-service`, or for what joins two components `db-from-api` and `operator-to-api`. */
const isNamedAfter = (name: string, component: string): boolean =>
  name === component ||
  name.startsWith(`${component}-`) ||
  name.endsWith(`-from-${component}`) ||
  name.includes(`-to-${component}`);

/** Nothing that a mocked secret was put into is outside of the values that are marked as secret. */
export function assertNoLeaks(graph: Graph, planted: readonly string[] = []): void {
  const needles = [canary, ...planted].flatMap((text) => [text, ...encodings(text)]);
  const findings = graph.nodes.flatMap((node) =>
    strings(node.inputs)
      .filter(({ path, text }) => !isBelow(path, node.secrets) && needles.some((needle) => text.includes(needle)))
      .map(({ path }) => `${title(node)} shows a secret in ${path}`),
  );
  none(findings, "secret values are in fields that are marked as secret");
}

/** Base64 of a text at each of the three places where it may begin in a longer text, without the ends that depend on it. */
function encodings(text: string): string[] {
  return [0, 1, 2].map((shift) => {
    const encoded = Buffer.from(" ".repeat(shift) + text).toString("base64");
    return encoded.replace(/=+$/, "").slice(shift === 0 ? 0 : 4, -2);
  });
}

/** A second, independent look at the pods, beside the policy pack. */
export function assertHardened(graph: Graph, except: readonly string[] = []): void {
  const findings = graph.nodes.filter(isObject).flatMap((node) => {
    const resource = toResource({ urn: node.urn, type: node.type, name: node.name, props: node.inputs });
    return podsOf(resource).flatMap((pod) =>
      containersOf(pod).flatMap(({ spec, title: container }) => {
        const own = spec.securityContext ?? {};
        const context = { ...pod.spec.securityContext, ...own };
        const checks: [boolean, string][] = [
          [context.runAsNonRoot === true, "runAsNonRoot"],
          [own.readOnlyRootFilesystem === true, "readOnlyRootFilesystem"],
          [own.allowPrivilegeEscalation === false, "allowPrivilegeEscalation"],
          [own.capabilities?.drop?.includes("ALL") === true, "capabilities"],
          [context.seccompProfile?.type === "RuntimeDefault", "seccompProfile"],
          [/@sha256:[0-9a-f]{64}$/.test(spec.image ?? ""), "image digest"],
          [spec.resources?.limits?.["memory"] !== undefined, "memory limit"],
        ];
        return checks.filter(([good]) => !good).map(([, what]) => `${title(node)} ${container}: ${what}`);
      }),
    );
  });
  none(
    findings.filter((finding) => !except.some((part) => finding.includes(part))),
    "pods are hardened",
  );
}

/**
 * Custom resources come after what installs their kind. `installers` gives for each API group the logical name of the
 * component or resource that does.
 */
export function assertAfterDefinitions(graph: Graph, installers: Record<string, string>): void {
  const findings = graph.nodes.filter(isObject).flatMap((node) => {
    const group = String(node.inputs["apiVersion"] ?? "").split("/")[0]!;
    const name = installers[group];
    if (name === undefined) return isCustomGroup(group) ? [`${title(node)}: nobody is known to install ${group}`] : [];
    const installer = graph.nodes.filter((candidate) => candidate.name === name);
    if (installer.some((candidate) => graph.isAfter(node, candidate))) return [];
    return [`${title(node)} does not come after ${name}, which installs ${group}`];
  });
  none(findings, "custom resources come after the definitions of their kinds");
}

const isCustomGroup = (group: string) =>
  group.includes(".") && (!group.endsWith(".k8s.io") || group.startsWith("gateway.") || group.startsWith("snapshot."));

/** What is in a namespace comes after the Namespace, where the graph makes that. */
export function assertNamespacesFirst(graph: Graph): void {
  const namespaces = new Map(graph.objects("Namespace").map((node) => [node.inputs["metadata"]?.name as string, node]));
  const findings = graph.nodes.filter(isObject).flatMap((node) => {
    const namespace = namespaces.get(node.inputs["metadata"]?.namespace as string);
    return namespace && !graph.isAfter(node, namespace) ? [`${title(node)} does not come after its namespace`] : [];
  });
  none(findings, "objects come after their namespace");
}

/** No resource is made in a callback of `apply`. */
export function assertNothingInApply(graph: Graph): void {
  none(graph.nodes.filter((node) => node.insideApply).map(title), "resources are not made in apply");
}
