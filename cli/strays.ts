/**
 * What a killed `up` had begun in the cloud. The engine notes each creation in the state before it starts and takes the note away when
 * it knows the result; an engine that was killed in between leaves the note, and maybe an object that the state does not know. The
 * next `up` would want to make it again, and the API would refuse the name.
 *
 * Such an object was never used by anything: whatever would have used it waited for its creation. So it is deleted, and made again by
 * the next run. To take it into the state instead would not do for servers, whose user data and keys can't be read back.
 */
import type { CloudApi } from "./cloud/api";
import { CloudApiError } from "./cloud/api";
import { type AnyObject, deleteObject, type Kind, kinds } from "./cloud/kinds";
import { partOf } from "./cloud/parts";

type Props = Record<string, unknown>;

interface StateResource {
  urn: string;
  type: string;
  id?: string;
  inputs?: Props;
}

/** The part of an exported state that is read, and changed in `pending_operations` only. */
export interface StackState {
  deployment?: {
    resources?: StateResource[];
    pending_operations?: { type: string; resource: StateResource }[];
  };
}

/** What became of one creation that was cut off. */
export interface Recovered {
  urn: string;
  /** `deleted`: there was one of ours. `absent`: there was none. `foreign`: something has its name and not our labels; it was left. */
  result: "deleted" | "absent" | "foreign";
  /** Names the object for people. */
  what: string;
}

export interface RecoverOptions {
  state: StackState;
  /** Value of the label `groundwork-stack` of this stack's objects. */
  label: string;
  api: CloudApi;
}

const isPendingCreate = ({ type, resource }: { type: string; resource: StateResource }): boolean =>
  type === "creating" && resource.type.startsWith("hcloud:");

/** Whether a killed run left creations in the cloud to look after. */
export const hasPendingCreates = (state: StackState): boolean =>
  (state.deployment?.pending_operations ?? []).some(isPendingCreate);

/** An object of this stack's own, which `up` made; what controllers in the cluster make carries another `managed-by`. */
const isOurs = (object: { labels?: Record<string, string> }, label: string): boolean =>
  object.labels?.["groundwork-stack"] === label && object.labels?.["managed-by"] === "groundwork";

/**
 * Deletes what creations that were cut off left in the cloud, and takes their notes out of `state`, which the caller has to import.
 * Nothing is touched that is in the state, that no note names, or that does not carry this stack's labels. Can be repeated.
 */
export async function recoverPendingCreates({ state, label, api }: RecoverOptions): Promise<Recovered[]> {
  const { deployment } = state;
  const pending = (deployment?.pending_operations ?? []).filter(isPendingCreate).map((op) => op.resource);
  const recovered: Recovered[] = [];
  // What was begun last may hold what was begun first.
  for (const resource of [...pending].reverse()) {
    const kind = kinds.find((k) => k.type === resource.type);
    const found = kind
      ? await recoverObject(api, kind, resource, state, label)
      : await recoverPart(api, resource, state, label);
    recovered.push({ urn: resource.urn, ...found });
  }
  if (deployment?.pending_operations) {
    deployment.pending_operations = deployment.pending_operations.filter((op) => !isPendingCreate(op));
  }
  return recovered;
}

type Found = Omit<Recovered, "urn">;

async function recoverObject(
  api: RecoverOptions["api"],
  kind: Kind,
  { inputs = {}, type, urn }: StateResource,
  state: StackState,
  label: string,
): Promise<Found> {
  const known = new Set((state.deployment?.resources ?? []).filter((r) => r.type === type).map((r) => r.id));
  const unknown = (objects: AnyObject[]) => objects.filter((o) => !known.has(String(o.id)));
  const { name, description } = inputs;
  // Snapshots have no names.
  if (kind.name === "snapshot") {
    const query = { ...kind.query, label_selector: `groundwork-stack=${label},managed-by=groundwork` };
    const made = unknown(await api.list<AnyObject>(kind.path, kind.key, query));
    const same = made.filter((o) => o.description === description);
    for (const object of same) await deleteObject(api, kind, object);
    return { result: same.length > 0 ? "deleted" : "absent", what: `${kind.name} ${String(description)}` };
  }
  const what = `${kind.name} ${typeof name === "string" ? name : urn.split("::").at(-1)!}`;
  // Without a name there is nothing by which it could be told from others.
  if (typeof name !== "string") return { result: "absent", what };
  const [object] = unknown(await api.list<AnyObject>(kind.path, kind.key, { ...kind.query, name }));
  if (!object) return { result: "absent", what };
  if (!isOurs(object, label)) return { result: "foreign", what };
  await deleteObject(api, kind, object);
  return { result: "deleted", what };
}

async function recoverPart(
  api: RecoverOptions["api"],
  resource: StateResource,
  state: StackState,
  label: string,
): Promise<Found> {
  const part = partOf(resource.type);
  const inputs = resource.inputs ?? {};
  const owner = part?.owner(inputs);
  const what = `${resource.type.split(":").at(-1)!} ${part?.name(inputs) ?? ""}`.trim();
  // The owner's id is unknown only while the owner is not made, and then there is no part of it.
  if (!part || owner === undefined || !/^\d+$/.test(owner)) return { result: "absent", what };
  const isKnown = (state.deployment?.resources ?? []).some(
    (r) =>
      r.type === resource.type &&
      part.owner(r.inputs ?? {}) === owner &&
      part.name(r.inputs ?? {}) === part.name(inputs),
  );
  if (isKnown) return { result: "absent", what };
  const at = `${part.path}/${owner}`;
  const object = await existing(api, at, part.key);
  const undo = object && part.undo(object, inputs);
  if (!undo) return { result: "absent", what };
  if (!isOurs(object, label)) return { result: "foreign", what };
  await api.change("POST", `${at}/actions/${undo.action}`, undo.body);
  return { result: "deleted", what };
}

async function existing(api: RecoverOptions["api"], at: string, key: string): Promise<AnyObject | undefined> {
  try {
    return (await api.get<Record<string, AnyObject>>(at))[key];
  } catch (error) {
    if (error instanceof CloudApiError && error.status === 404) return undefined;
    throw error;
  }
}

/** What comes after the recovery. */
export type Undertaking = "up" | "destroy";

/**
 * Resources of the cloud that may be gone and that the next run may delete, by URN: the engine has to ask for them before. The official
 * provider takes the deletion of what is gone already for an error (servers, placement groups) or dies of it (firewalls, subnets).
 * Before `up` those that a killed run was busy with; `destroy` deletes everything, whoever took it away before.
 */
export function uncertain({ deployment }: StackState, next: Undertaking): string[] {
  const known = (deployment?.resources ?? []).filter(({ type, id }) => type.startsWith("hcloud:") && id);
  const begun = new Set((deployment?.pending_operations ?? []).map(({ resource }) => resource.urn));
  return [...new Set(known.map(({ urn }) => urn))].filter((urn) => next === "destroy" || begun.has(urn));
}

interface StateServer extends StateResource {
  initErrors?: string[];
}

/** A server that the state knows and that will never be of use. */
export interface BrokenServer {
  urn: string;
  why: string;
}

/**
 * Servers of the state whose creation failed half-way: the engine sees no difference in them, and whatever needs their SSH would wait
 * for ever. One that is gone from the cloud is not among them: a refresh finds that.
 */
export async function brokenServers(state: StackState, api: RecoverOptions["api"]): Promise<BrokenServer[]> {
  const servers = (state.deployment?.resources ?? []).filter((r) => r.type === "hcloud:index/server:Server" && r.id);
  const broken: BrokenServer[] = [];
  for (const { urn, id = "", initErrors } of servers as StateServer[]) {
    const server = await existing(api, `/servers/${id}`, "server");
    if (!server) continue;
    if (initErrors?.length) broken.push({ urn, why: `its creation failed: ${initErrors[0]!}` });
    else if ((server as { status?: string }).status === "initializing" && !(await isBusy(api, id))) {
      broken.push({ urn, why: "its creation ended and left it initializing" });
    }
  }
  return broken;
}

async function isBusy(api: RecoverOptions["api"], id: string): Promise<boolean> {
  const { actions } = await api.get<{ actions: unknown[] }>(`/servers/${id}/actions?status=running`);
  return actions.length > 0;
}
