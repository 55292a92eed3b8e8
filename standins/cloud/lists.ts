/** Lists of the API: filters, order and pages. */
import { CloudError } from "./backend";
import { invalid } from "./errors";
import { compileSelector } from "./selector";

export interface Page<T> {
  items: T[];
  meta: { pagination: Record<string, number | null> };
  /** Header `Link`, for pages beside this one. */
  link?: string;
}

function positive(query: URLSearchParams, field: string, otherwise: number): number {
  const given = query.get(field);
  if (given === null) return otherwise;
  if (!/^[1-9]\d{0,8}$/.test(given)) throw invalid(field, "must be a positive integer");
  return Number(given);
}

/** One page; asking for more than 50 entries gives 50. */
export function page<T>(all: readonly T[], query: URLSearchParams, url: string): Page<T> {
  const perPage = Math.min(50, positive(query, "per_page", 25));
  const at = positive(query, "page", 1);
  const last = Math.max(1, Math.ceil(all.length / perPage));
  const beside = { prev: at > 1 ? at - 1 : null, next: at < last ? at + 1 : null, last };
  const links = Object.entries(beside).flatMap(([rel, number]) => {
    if (number === null) return [];
    const parameters = new URLSearchParams(query);
    parameters.set("page", String(number));
    parameters.set("per_page", String(perPage));
    return [`<${url}?${parameters.toString()}>; rel="${rel}"`];
  });
  return {
    items: all.slice((at - 1) * perPage, at * perPage),
    link: links.join(", "),
    meta: {
      pagination: {
        page: at,
        per_page: perPage,
        previous_page: beside.prev,
        next_page: beside.next,
        last_page: last,
        total_entries: all.length,
      },
    },
  };
}

type Sortable = { id: number; name?: string; created?: string };

/** Orders by `sort=field[:asc|desc]`, which may be given more than once; by id otherwise. */
export function sorted<T extends Sortable>(all: readonly T[], query: URLSearchParams): T[] {
  const orders = query.getAll("sort").map((text) => {
    const [field = "", direction = "asc"] = text.split(":");
    if (!["id", "name", "created"].includes(field) || !["asc", "desc"].includes(direction)) {
      throw invalid("sort", `'${text}' is not known`);
    }
    return { field: field as keyof Sortable, sign: direction === "asc" ? 1 : -1 };
  });
  return [...all].sort((a, b) => {
    for (const { field, sign } of [...orders, { field: "id" as const, sign: 1 }]) {
      const [x, y] = [a[field] ?? "", b[field] ?? ""];
      if (x !== y) return x < y ? -sign : sign;
    }
    return 0;
  });
}

/** Filters by name and label selector, which every list of objects knows. */
export function filtered<T extends { name: string; labels?: Record<string, string> }>(
  all: readonly T[],
  query: URLSearchParams,
): T[] {
  const name = query.get("name");
  const selector = query.get("label_selector");
  const matches = selector ? compileSelector(selector) : () => true;
  return all.filter((o) => (name === null || o.name === name) && matches(o.labels ?? {}));
}

export function numberIn(text: string): number {
  if (!/^\d+$/.test(text)) throw new CloudError("not_found", `'${text}' is not an ID`);
  return Number(text);
}
