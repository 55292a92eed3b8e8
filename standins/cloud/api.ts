import { CloudError } from "./backend";
import { balancerTypes, locations, serverTypes, systemImages } from "./catalogue";
import { type Core, viewAction } from "./core";
import { notFound, protectedError } from "./errors";
import * as input from "./input";
import type { Answer, KindApi } from "./kind";
import { firewalls } from "./kinds/firewalls";
import { floatingIps } from "./kinds/floating-ips";
import { images, viewImage } from "./kinds/images";
import { loadBalancers } from "./kinds/load-balancers";
import { networks } from "./kinds/networks";
import { primaryIps } from "./kinds/primary-ips";
import { servers } from "./kinds/servers";
import { certificates, placementGroups, sshKeys } from "./kinds/simple";
import { volumes } from "./kinds/volumes";
import { filtered, numberIn, page, sorted } from "./lists";
import { type Base, type Kind, singular } from "./model";
import { pricing } from "./pricing";
import { viewBalancerType, viewServerType, viewSystemImage } from "./views";

// Each is used with objects of its own kind only; the compiler can't see that through a lookup.
type AnyApi = Omit<KindApi<Kind>, "view" | "update" | "remove" | "actions" | "filters"> & {
  view(core: Core, object: unknown): object | Promise<object>;
  update?(core: Core, object: unknown, body: input.Body): void;
  remove(core: Core, object: unknown): Promise<Answer | void> | Answer;
  actions: Record<string, (core: Core, object: unknown, body: input.Body) => Answer | Promise<Answer>>;
  filters?: Record<string, (object: unknown, values: string[]) => boolean>;
};

const apis = Object.fromEntries(
  [
    sshKeys,
    networks,
    servers,
    placementGroups,
    firewalls,
    loadBalancers,
    volumes,
    primaryIps,
    floatingIps,
    images,
    certificates,
  ].map((api) => [api.kind, api]),
) as unknown as Record<string, AnyApi | undefined>;

export interface Request {
  method: string;
  /** Below `/v1`. */
  path: string;
  query: URLSearchParams;
  body: input.Body;
  /** The address that was asked, without the query. */
  url: string;
}

export interface Response {
  status: number;
  body?: object;
  link?: string;
}

/** Answers a request that was let in. */
export async function handle(core: Core, request: Request): Promise<Response> {
  const [, kind = "", id, sub, name, ...more] = request.path.split("/");
  if (more.length > 0) throw unknownPath(request);
  if (kind === "actions" && sub === undefined) return actionsOf(core, request, undefined, id);
  const fixed = request.method === "GET" && sub === undefined ? catalogue(core, request, kind, id) : undefined;
  if (fixed) return fixed;
  const api = apis[kind];
  if (!api) throw unknownPath(request);
  if (id === undefined) return collection(core, api, request);
  // Actions of a kind over all its objects.
  if (id === "actions") return actionsOf(core, request, (type) => type === singular[api.kind], sub);
  const object = core.state.get(api.kind, numberIn(id));
  if (sub === undefined) return single(core, api, object, request);
  if (sub !== "actions") throw unknownPath(request);
  if (request.method === "GET") {
    return actionsOf(core, request, (type, about) => type === singular[api.kind] && about === object.id, name);
  }
  const act = name === undefined ? undefined : api.actions[name];
  if (!act || request.method !== "POST") throw unknownPath(request);
  return answer(core, api, await act(core, object, request.body));
}

const unknownPath = ({ method, path }: Request): CloudError =>
  new CloudError("not_found", `there is no ${method} ${path}`);

async function collection(core: Core, api: AnyApi, request: Request): Promise<Response> {
  if (request.method === "POST" && api.create) return answer(core, api, await api.create(core, request.body));
  if (request.method !== "GET") throw new CloudError("method_not_allowed", `${request.method} is not allowed here`);
  const { query, url } = request;
  const chosen = filtered(core.state.all(api.kind), query).filter((object) =>
    Object.entries(api.filters ?? {}).every(
      ([field, holds]) => !query.has(field) || holds(object, query.getAll(field)),
    ),
  );
  const { items, meta, link } = page(sorted(chosen, query), query, url);
  return { status: 200, body: { [api.kind]: await viewAll(core, api, items), meta }, link };
}

async function viewAll(core: Core, api: AnyApi, items: Base[]): Promise<object[]> {
  const views: object[] = [];
  for (const item of items) views.push(await api.view(core, item));
  return views;
}

async function single(core: Core, api: AnyApi, object: Base, request: Request): Promise<Response> {
  switch (request.method) {
    case "GET":
      break;
    case "PUT":
      await update(core, api, object, request.body);
      break;
    case "DELETE": {
      if ((object as { protection?: { delete: boolean } }).protection?.delete) throw protectedError(singular[api.kind]);
      const done = await api.remove(core, object);
      core.state.touch();
      return done?.action ? answer(core, api, done) : { status: 204 };
    }
    default:
      throw new CloudError("method_not_allowed", `${request.method} is not allowed here`);
  }
  return { status: 200, body: { [singular[api.kind]]: await api.view(core, object) } };
}

async function update(core: Core, api: AnyApi, object: Base, body: input.Body): Promise<void> {
  const name = body["name"] === undefined ? object.name : input.name(body, nameForm(api.kind));
  core.unusedName(api.kind, name, object.id);
  const labels = body["labels"] === undefined ? object.labels : input.labels(body);
  api.update?.(core, object, body);
  Object.assign(object, { name, labels });
  core.state.touch();
  await api.relabelled?.(core);
}

const nameForm = (kind: Kind) => (kind === "servers" ? "host" : kind === "volumes" ? "volume" : "any");

async function answer(core: Core, api: AnyApi, given: Answer): Promise<Response> {
  core.state.touch();
  const body: Record<string, unknown> = { ...given.more };
  if (given.object !== undefined)
    body[singular[api.kind]] = await api.view(core, core.state.get(api.kind, given.object));
  if (given.action) body["action"] = viewAction(given.action);
  if (given.actions) body["actions"] = given.actions.map(viewAction);
  if (given.nextActions) body["next_actions"] = given.nextActions.map(viewAction);
  return { status: given.status ?? 201, body };
}

/** Actions: one, those that are named by id, or those about some resources. */
function actionsOf(
  core: Core,
  { query, url, method }: Request,
  about?: (type: string, id: number) => boolean,
  id?: string,
): Response {
  if (method !== "GET") throw new CloudError("method_not_allowed", `${method} is not allowed here`);
  const all = core.state.actions.filter((a) => !about || a.resources.some((r) => about(r.type, r.id)));
  if (id !== undefined) {
    const found = all.find((a) => a.id === numberIn(id));
    if (!found) throw notFound("action", id);
    return { status: 200, body: { action: viewAction(found) } };
  }
  const [ids, statuses] = [query.getAll("id").map(Number), query.getAll("status")];
  const chosen = all.filter(
    (a) => (ids.length === 0 || ids.includes(a.id)) && (statuses.length === 0 || statuses.includes(a.status)),
  );
  const { items, meta, link } = page(chosen, query, url);
  return { status: 200, body: { actions: items.map(viewAction), meta }, link };
}

/** What the cloud offers; images are a mixture of the catalogue and of snapshots. */
function catalogue(core: Core, { query, url }: Request, kind: string, id?: string): Response | undefined {
  if (kind === "pricing") return { status: 200, body: { pricing: pricing() } };
  const lists: Record<string, { key: string; entries: () => ({ id: number; name: string } & object)[] }> = {
    server_types: {
      key: "server_type",
      entries: () => serverTypes.map((t) => viewServerType(core.faults, t) as never),
    },
    load_balancer_types: {
      key: "load_balancer_type",
      entries: () => balancerTypes.map((t) => viewBalancerType(t) as never),
    },
    locations: { key: "location", entries: () => [...locations] },
    datacenters: { key: "datacenter", entries: () => [] },
    isos: { key: "iso", entries: () => [] },
    images: { key: "image", entries: () => imageEntries(core, query) as never },
  };
  const list = lists[kind];
  if (!list) return undefined;
  const entries = list.entries();
  if (id !== undefined) {
    const found = entries.find((e) => String(e.id) === id);
    if (found) return { status: 200, body: { [list.key]: found } };
    if (kind === "images") return undefined;
    throw notFound(list.key, id);
  }
  const { items, meta, link } = page(sorted(filtered(entries, query), query), query, url);
  return { status: 200, body: { [kind]: items, meta }, link };
}

function imageEntries(core: Core, query: URLSearchParams): object[] {
  const all = [...systemImages.map(viewSystemImage), ...core.state.all("images").map((i) => viewImage(i))];
  const fields = ["type", "status", "architecture", "bound_to"].filter((f) => query.has(f));
  return all.filter((image) =>
    fields.every((f) => query.getAll(f).includes(String((image as Record<string, unknown>)[f]))),
  );
}
