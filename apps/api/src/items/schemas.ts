/** JSON schemas of the items resource: they validate, serialise, and make the OpenAPI document. */

/** PostgreSQL has no NUL in text; other control characters have no place in a name. */
const ONE_LINE = "^[^\\u0000-\\u001f\\u007f]*$";
const NO_NUL = "^[^\\u0000]*$";

/** The largest value of PostgreSQL's integer. */
const MAX_INTEGER = 2_147_483_647;

const name = { type: "string", minLength: 1, maxLength: 200, pattern: ONE_LINE } as const;
const description = { type: ["string", "null"], maxLength: 2000, pattern: NO_NUL } as const;
const quantity = { type: "integer", minimum: 0, maximum: MAX_INTEGER } as const;
const properties = { name, description, quantity } as const;

export const itemSchema = {
  $id: "Item",
  type: "object",
  required: ["id", "name", "description", "quantity", "createdAt", "updatedAt"],
  properties: {
    id: { type: "string", format: "uuid" },
    ...properties,
    createdAt: { type: "string", format: "date-time" },
    updatedAt: { type: "string", format: "date-time" },
  },
} as const;

/** Body of POST and PUT. */
export const itemInput = {
  type: "object",
  additionalProperties: false,
  required: ["name", "quantity"],
  properties,
} as const;

/** Body of PATCH: a JSON merge patch (RFC 7396) of the fields that a client may write. */
export const itemPatch = { type: "object", additionalProperties: false, minProperties: 1, properties } as const;

export const itemParams = {
  type: "object",
  required: ["id"],
  properties: { id: { type: "string", format: "uuid" } },
} as const;

export const listQuery = {
  type: "object",
  additionalProperties: false,
  properties: {
    limit: { type: "integer", minimum: 1, maximum: 100, default: 20, description: "Most items on the page." },
    cursor: { type: "string", minLength: 1, maxLength: 200, description: "`next` of the page before." },
  },
} as const;

export const listAnswer = {
  description: "One page, newest first.",
  type: "object",
  required: ["items", "next"],
  properties: {
    items: { type: "array", items: { $ref: "Item#" } },
    next: { type: ["string", "null"], description: "Cursor of the next page; null on the last one." },
  },
} as const;

export const createHeaders = {
  type: "object",
  properties: {
    "idempotency-key": {
      type: "string",
      minLength: 1,
      maxLength: 128,
      pattern: "^[\\x21-\\x7e]+$",
      description: "Makes a repeated request answer as the first one did, for 24 hours.",
    },
  },
} as const;

export const changeHeaders = {
  type: "object",
  properties: {
    "if-match": {
      type: "string",
      maxLength: 1000,
      description: "Entity tags from which the change may start, or `*`. Without it the change is unconditional.",
    },
  },
} as const;

export const readHeaders = {
  type: "object",
  properties: {
    "if-none-match": { type: "string", maxLength: 1000, description: "Entity tags that the client has." },
  },
} as const;

const etagHeader = { ETag: { schema: { type: "string" }, description: "Version of the item, for If-Match." } } as const;

/** An answer with an item and its entity tag. */
export const itemAnswer = (text: string, headers: Record<string, unknown> = {}) => ({
  description: text,
  headers: { ...etagHeader, ...headers },
  content: { "application/json": { schema: { $ref: "Item#" } } },
});

/** Error answers for the document. Errors are serialised apart, so these do not shape what goes out. */
export function problems(...statuses: number[]): Record<number, unknown> {
  const text: Record<number, string> = {
    400: "The request does not have the required form.",
    404: "There is no such item.",
    412: "The item has changed since the client read it.",
    413: "The body is too large.",
    415: "The body's media type is not supported.",
    422: "The Idempotency-Key was used for another request.",
    503: "The database cannot be reached; try again after Retry-After seconds.",
  };
  const content = { "application/problem+json": { schema: { $ref: "Problem#" } } };
  return Object.fromEntries(statuses.map((status) => [status, { description: text[status], content }]));
}
