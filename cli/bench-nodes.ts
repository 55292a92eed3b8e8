import { readEvents } from "./cost/events";
import { table } from "./ui";

/** One node's way into the cluster, in seconds. */
export interface NodeTime {
  node: string;
  /** In which one of its own steps was under way: machine, baseline, artefacts, images, K3s; not what it waited for between them. */
  own: number;
  /** From the first step of all nodes until it was Ready. */
  ready: number;
}

interface Span {
  name: string;
  from: number;
  to: number;
}

/** Seconds in which at least one of them was under way. */
function busy(spans: Span[]): number {
  let [seconds, until] = [0, 0];
  for (const { from, to } of [...spans].sort((a, b) => a.from - b.from)) {
    seconds += Math.max(0, to - Math.max(from, until));
    until = Math.max(until, to);
  }
  return seconds;
}

/** Name of the resource of a URN. */
const nameOf = (urn: string): string => urn.slice(urn.lastIndexOf("::") + 2);

/** What a run made, with its times in whole seconds: the engine's events have no finer ones. */
function made(file: string): Span[] {
  const begun = new Map<string, number>();
  return readEvents(file).flatMap(({ timestamp = 0, resourcePreEvent, resOutputsEvent }) => {
    if (resourcePreEvent?.metadata.op === "create") begun.set(resourcePreEvent.metadata.urn, timestamp);
    const { urn, op } = resOutputsEvent?.metadata ?? {};
    const from = urn === undefined ? undefined : begun.get(urn);
    return op !== "create" || from === undefined ? [] : [{ name: nameOf(urn!), from, to: timestamp }];
  });
}

/**
 * The nodes that an `up` from nothing brought into the cluster, from the log of its events (GROUNDWORK_EVENTS). The steps of a node
 * are told by their names: `k3s-NODE-install` and what else has the node's name in it, and its machine, which a driver names
 * without the stack.
 */
export function nodeTimes(file: string, stack: string): NodeTime[] {
  const spans = made(file);
  const nodes = spans.flatMap(({ name }) => /^k3s-(.+)-install$/.exec(name)?.[1] ?? []);
  const own = (node: string): Span[] => {
    const short = node.startsWith(`${stack}-`) ? node.slice(stack.length + 1) : node;
    const pattern = new RegExp(`(^|-)(${node}|${short})(-|$)`);
    return spans.filter(({ name }) => pattern.test(name) && !name.endsWith("-upgrade"));
  };
  const began = Math.min(...nodes.flatMap(own).map(({ from }) => from));
  return nodes.sort().map((node) => {
    const steps = own(node);
    return {
      node,
      own: busy(steps),
      // A server's node is Ready some time after it has joined.
      ready: Math.max(...steps.flatMap(({ name, to }) => (/-(install|ready)$/.test(name) ? [to] : []))) - began,
    };
  });
}

/** All nodes Ready against the slowest node's own steps: one where all of them are installed side by side. */
export const nodeRatio = (times: NodeTime[]): number =>
  Math.max(...times.map(({ ready }) => ready)) / Math.max(...times.map(({ own }) => own));

/** The times as a table, with the ratio under it. */
export function nodeTable(times: NodeTime[]): string {
  const rows = times.map(({ node, own, ready }) => [node, `${own}`, `${ready}`]);
  const ratio = nodeRatio(times).toFixed(2);
  return `${table(["node", "own steps, s", "Ready after, s"], rows)}\nall nodes Ready after ${ratio} times the slowest node's own steps`;
}
