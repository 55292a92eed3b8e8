import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { Problem } from "../problem";
import { decodeCursor, encodeCursor } from "./cursor";
import { etag, type Item, type ItemInput, view } from "./item";
import {
  changeHeaders,
  createHeaders,
  itemAnswer,
  itemInput,
  itemParams,
  itemPatch,
  listAnswer,
  listQuery,
  problems,
  readHeaders,
} from "./schemas";
import type { Items } from "./cached-store";
import type { Change, Expected } from "./store";

interface ById {
  Params: { id: string };
  Headers: { "if-match"?: string; "if-none-match"?: string };
}

const tags = ["items"];

/** The `/items` resource. */
export function itemRoutes(app: FastifyInstance, store: Items): void {
  app.post<{ Body: ItemInput; Headers: { "idempotency-key"?: string } }>(
    "/items",
    {
      schema: {
        tags,
        operationId: "createItem",
        summary: "Add an item",
        headers: createHeaders,
        body: itemInput,
        response: {
          201: itemAnswer("The item as it was made.", {
            Location: { schema: { type: "string" }, description: "Path of the item." },
          }),
          ...problems(400, 413, 415, 422, 503),
        },
      },
    },
    async (request, reply) => {
      const key = request.headers["idempotency-key"];
      const { item, replayed } =
        key === undefined
          ? { item: await store.create(request.body), replayed: false }
          : await store.createOnce(key, request.body);
      if (replayed) reply.header("idempotency-replayed", "true");
      return sendItem(reply.code(201).header("location", `/items/${item.id}`), item);
    },
  );

  app.get<{ Querystring: { limit: number; cursor?: string } }>(
    "/items",
    {
      schema: {
        tags,
        operationId: "listItems",
        summary: "List items, newest first",
        querystring: listQuery,
        response: { 200: listAnswer, ...problems(400, 503) },
      },
      // Types are not coerced anywhere: a body's "3" is no number. A query has nothing but texts, so its one number is read here.
      preValidation: (request, _, done) => {
        const query = request.query as Record<string, unknown>;
        if (typeof query["limit"] === "string" && /^\d{1,9}$/.test(query["limit"])) query["limit"] = +query["limit"];
        done();
      },
    },
    async (request) => {
      const { limit, cursor } = request.query;
      // One more than asked for tells whether there is a next page.
      const found = await store.list(limit + 1, cursor === undefined ? undefined : decodeCursor(cursor));
      const page = found.slice(0, limit);
      const last = page.at(-1);
      return { items: page.map(view), next: found.length > limit && last ? encodeCursor(last) : null };
    },
  );

  app.get<ById>(
    "/items/:id",
    {
      schema: {
        tags,
        operationId: "getItem",
        summary: "Read an item",
        params: itemParams,
        headers: readHeaders,
        response: {
          200: itemAnswer("The item."),
          304: { description: "The client has this version already.", type: "null" },
          ...problems(400, 404, 503),
        },
      },
    },
    async (request, reply) => {
      const item = await store.get(request.params.id);
      if (!item) throw missing(request);
      if (noneMatch(request.headers["if-none-match"], item)) {
        return reply.code(304).header("etag", etag(item)).send();
      }
      return sendItem(reply, item);
    },
  );

  const changing = (operationId: string, summary: string, body: typeof itemInput | typeof itemPatch) => ({
    schema: {
      tags,
      operationId,
      summary,
      params: itemParams,
      headers: changeHeaders,
      body,
      response: { 200: itemAnswer("The item as it is now."), ...problems(400, 404, 412, 413, 415, 503) },
    },
  });

  app.put<ById & { Body: ItemInput }>(
    "/items/:id",
    changing("replaceItem", "Replace an item", itemInput),
    async (request, reply) => {
      const fields = { ...request.body, description: request.body.description ?? null };
      const change = await store.update(request.params.id, fields, ifMatch(request));
      return sendItem(reply, settled(change, request));
    },
  );

  app.patch<ById & { Body: Partial<ItemInput> }>(
    "/items/:id",
    changing("changeItem", "Change fields of an item", itemPatch),
    async (request, reply) =>
      sendItem(reply, settled(await store.update(request.params.id, request.body, ifMatch(request)), request)),
  );

  app.delete<ById>(
    "/items/:id",
    {
      schema: {
        tags,
        operationId: "deleteItem",
        summary: "Delete an item",
        params: itemParams,
        headers: changeHeaders,
        response: { 204: { description: "The item is gone.", type: "null" }, ...problems(400, 404, 412, 503) },
      },
    },
    async (request, reply) => {
      settled(await store.delete(request.params.id, ifMatch(request)), request);
      return reply.code(204).send();
    },
  );
}

const sendItem = (reply: FastifyReply, item: Item): FastifyReply => reply.header("etag", etag(item)).send(view(item));

const missing = (request: FastifyRequest<ById>): Problem => new Problem(404, `There is no item ${request.params.id}.`);

function settled<T>(change: Change<T>, request: FastifyRequest<ById>): T {
  if (change.outcome === "missing") throw missing(request);
  if (change.outcome === "changed") {
    throw new Problem(412, "The item has changed since you read it; read it again.", "item-changed");
  }
  return change.value;
}

/** The versions that If-Match allows. Tags that are not ours, and weak ones, match nothing (RFC 9110, 13.1.1). */
export function ifMatch(request: { headers: { "if-match"?: string } }): Expected {
  const header = request.headers["if-match"]?.trim();
  if (header === undefined || header === "*") return "any";
  return header.split(",").flatMap((tag) => {
    const version = /^"(\d{1,9})"$/.exec(tag.trim())?.[1];
    return version === undefined ? [] : [Number(version)];
  });
}

/** Whether If-None-Match names the item's version; weak tags count here (RFC 9110, 13.1.2). */
function noneMatch(header: string | undefined, item: Item): boolean {
  if (header === undefined) return false;
  return header.split(",").some((tag) => tag.trim() === "*" || tag.trim().replace(/^W\//, "") === etag(item));
}
