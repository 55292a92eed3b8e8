import { ask } from "./service";

/** Requests one after another in several lanes until it is told to stop; the answers by status. */
export function load(url: string, lanes: number, write: boolean): () => Promise<Record<number, number>> {
  const counts: Record<number, number> = {};
  let on = true;
  const lane = async (): Promise<void> => {
    for (let n = 0; on; n++) {
      const { status } =
        write && n % 2 === 0
          ? await ask(`${url}/items`, "POST", { name: "load", quantity: n })
          : await ask(`${url}/items?limit=1`);
      counts[status] = (counts[status] ?? 0) + 1;
    }
  };
  const all = Promise.all(Array.from({ length: lanes }, lane));
  return async () => {
    on = false;
    await all;
    return counts;
  };
}
