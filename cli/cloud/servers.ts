import { type CloudPlan, planCloud, prefixOf } from "../../components/host/hcloud/plan";
import { type EngineError, explainCloudErrors } from "../cloud-errors";
import type { Engine } from "../engine";
import { architectureOf } from "../../components/host/hcloud/places";
import type { Settings } from "../../stacks/settings";
import { say, UserError } from "../ui";
import { cloudAccess } from "./access";
import { CloudApi, CloudApiError, type CloudObject } from "./api";
import { liftLocks } from "./locks";
import { refreshTargets } from "./refresh";

/** A server of the stack's as its state has it. */
export interface KnownServer {
  urn: string;
  id: string;
  name: string;
  role: string;
  type: string;
}

interface Exported {
  deployment?: {
    resources?: {
      urn: string;
      type: string;
      id?: string;
      inputs?: { name?: string; serverType?: string; location?: string; labels?: Record<string, string> };
    }[];
  };
}

type Server = CloudObject & { name: string; status: string };

const serversOf = ({ deployment }: Exported): KnownServer[] =>
  (deployment?.resources ?? []).flatMap(({ urn, type, id, inputs }) =>
    type === "hcloud:index/server:Server" && id
      ? [
          {
            ...{ urn, id, name: inputs?.name ?? urn, type: inputs?.serverType ?? "" },
            role: inputs?.labels?.["groundwork-role"] ?? "",
          },
        ]
      : [],
  );

/**
 * Which servers of the state the cloud does not have any more.
 * @throws UserError where all that run the control plane are gone, since with them the cluster is
 */
export function goneServers(stack: string, known: readonly KnownServer[], there: readonly string[]): KnownServer[] {
  const gone = known.filter(({ id }) => !there.includes(id));
  const control = known.filter(({ role }) => role === "server");
  if (control.length > 0 && control.every((server) => gone.includes(server))) {
    throw new UserError(
      `all servers of ${stack} are gone from Hetzner (${control.map(({ name }) => name).join(", ")}), and the cluster with them: ` +
        `npm run restore -- --stack ${stack} --lost, from a backup; without one, npm run destroy and up (docs/runbooks/hetzner.md)`,
    );
  }
  return gone;
}

/**
 * Another type takes a machine down for a minute or two, and the engine changes all at once: of three servers one at a time may be
 * away, or etcd has no majority.
 * @throws UserError where more than one that runs the control plane would get another type
 */
export function oneTypeAtATime(
  stack: string,
  known: readonly KnownServer[],
  planned: readonly { name: string; type: string }[],
): void {
  const changed = known.filter(
    ({ name, role, type }) => role === "server" && planned.some((one) => one.name === name && one.type !== type),
  );
  if (changed.length < 2) return;
  const commands = changed.map(({ urn }) => `  npm run up -- --stack ${stack} -- --target '${urn}'`);
  throw new UserError(
    `${changed.map(({ name }) => name).join(", ")} would get another type at once, and the cluster would stop while they are away. ` +
      `One after the other, each when \`npm run status\` shows the nodes Ready again:\n${commands.join("\n")}`,
  );
}

/**
 * Looks whether the stack's machines at Hetzner are still there, so that one that is gone is made anew by this run: the engine itself
 * takes for granted what its state says. It is one request, and a refresh of those that are gone; a refresh of everything would
 * ask the cluster for each of its objects, too.
 */
export async function lookAfterServers(
  engine: Engine,
  stack: string,
  { config, settings, rest = [] }: { config: string; settings: Settings; rest?: readonly string[] },
): Promise<void> {
  const exported = await engine.run(["stack", "export", "--stack", stack]);
  const known = exported.code === 0 ? serversOf(JSON.parse(exported.stdout) as Exported) : [];
  if (known.length === 0) return;
  const { target } = settings;
  const targeted = rest.some((arg) => arg === "--target" || arg.startsWith("--target="));
  if (target.driver === "hcloud" && !targeted) oneTypeAtATime(stack, known, planCloud(target, stack).nodes);
  const api = new CloudApi(await cloudAccess(stack, { engine, config }));
  const there = await listServers(api, stack);
  if (target.driver === "hcloud" && !targeted)
    await letGo(api, JSON.parse(exported.stdout) as Exported, planCloud(target, stack), rest);
  const gone = goneServers(
    stack,
    known,
    there.map(({ id }) => String(id)),
  );
  for (const { name, status } of there) {
    if (status === "off")
      say(`${name} is switched off at Hetzner: switch it on there, or what is done on it will fail`);
  }
  if (gone.length === 0) return;
  for (const { name } of gone) say(`${name} is not at Hetzner any more: this run makes it anew`);
  await refreshTargets(engine, stack, { config, targets: gone.map(({ urn }) => urn) });
}

type Machines = Pick<CloudPlan, "gateway" | "nodes">;

/**
 * Machines and addresses of the state that this run will delete, by type: those that the settings do not have any more, and those
 * that are made anew, since somebody said `--replace`, or for another location or processor.
 */
export function departing({ deployment }: Exported, plan: Machines, rest: readonly string[]): Map<string, Set<string>> {
  const wanted = new Map([plan.gateway, ...plan.nodes].flatMap((server) => (server ? [[server.name, server]] : [])));
  const replaced = new Set(
    rest.flatMap((arg, index) => (rest[index - 1] === "--replace" ? [arg] : (/^--replace=(.*)$/.exec(arg)?.[1] ?? []))),
  );
  const found = new Map<string, Set<string>>();
  for (const { urn, type, id, inputs } of deployment?.resources ?? []) {
    if (!id || !/^hcloud:index\/(server:Server|primaryIp:PrimaryIp)$/.test(type)) continue;
    const machine = inputs?.name?.replace(type.endsWith("PrimaryIp") ? /-ipv[46]$/ : /$/, "");
    if (machine === undefined) continue;
    const planned = wanted.get(machine);
    const moves = planned !== undefined && inputs?.location !== undefined && inputs.location !== planned.location;
    const changes =
      planned !== undefined &&
      inputs?.serverType !== undefined &&
      architectureOf(inputs.serverType) !== planned.architecture;
    if (planned && !moves && !changes && !replaced.has(urn)) continue;
    found.set(type, (found.get(type) ?? new Set()).add(id));
  }
  return found;
}

/**
 * Takes the API's lock off what this run deletes: the provider does not do that before. Volumes keep theirs: with `protect` the engine
 * does not delete them either.
 */
export async function letGo(
  api: CloudApi,
  state: Exported,
  plan: Machines,
  rest: readonly string[] = [],
): Promise<void> {
  await liftLocks(api, departing(state, plan, rest));
}

async function listServers(api: CloudApi, stack: string): Promise<Server[]> {
  try {
    return await api.list<Server>("/servers", "servers", { label_selector: `groundwork-stack=${prefixOf(stack)}` });
  } catch (error) {
    if (!(error instanceof CloudApiError)) throw error;
    const [told] = explainCloudErrors([{ urn: "", message: `hcloud: ${error.message} (${error.code})` }]);
    throw new UserError(told ?? `Hetzner does not tell whether the machines are there: ${error.message}`);
  }
}

/** The first script on a machine; its name begins with the machine's. */
const boot = /:command:remote:Command::(\S+)-boot$/;

/** What the cloud says of the machines that were waited for in vain, one line each; none where it does not answer. */
export async function tellOfServers(
  errors: readonly EngineError[],
  stack: string,
  { engine, config }: { engine: Engine; config: string },
): Promise<string[]> {
  const names = errors.flatMap(({ urn }) => boot.exec(urn)?.[1] ?? []);
  if (names.length === 0) return [];
  try {
    const there = await listServers(new CloudApi(await cloudAccess(stack, { engine, config })), stack);
    return [...new Set(names)].map((name) => {
      const server = there.find((one) => one.name === name);
      return `Hetzner says of ${name}: ${server ? `${server.status}, server ${server.id}` : "there is no such server"}`;
    });
  } catch {
    return [];
  }
}
