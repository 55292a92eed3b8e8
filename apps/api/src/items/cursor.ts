import { Problem } from "../problem";

/** The place after which a page begins: the last item of the page before. */
export interface Place {
  createdAt: Date;
  id: string;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** An opaque text for a place; clients hand it back as it is. */
export function encodeCursor({ createdAt, id }: Place): string {
  return Buffer.from(`${createdAt.getTime().toString(36)}.${id}`).toString("base64url");
}

/** @throws Problem 400 for a text that {@link encodeCursor} did not make. */
export function decodeCursor(cursor: string): Place {
  const [time = "", id = ""] = Buffer.from(cursor, "base64url").toString("utf8").split(".");
  const createdAt = new Date(/^[0-9a-z]{1,9}$/.test(time) ? parseInt(time, 36) : NaN);
  if (Number.isNaN(createdAt.getTime()) || !UUID.test(id) || encodeCursor({ createdAt, id }) !== cursor) {
    throw new Problem(400, "The cursor is not one that this API gave out.", "validation", {}, [
      { in: "query", pointer: "/cursor", detail: "is not a cursor of this API" },
    ]);
  }
  return { createdAt, id };
}
