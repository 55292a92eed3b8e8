import type { CloudApi } from "./api";
import { current, kinds, liftLock } from "./kinds";

/**
 * Takes the API's lock against deletion off the objects of a stack's state. The provider sets the lock and, other than its documentation
 * says, does not take it off before it deletes. Gives how many it was on.
 *
 * @param ids by the type of the resource, as `idsInState` gives them
 */
export async function liftLocks(api: CloudApi, ids: ReadonlyMap<string, ReadonlySet<string>>): Promise<number> {
  let lifted = 0;
  for (const kind of kinds.filter(({ lockable }) => lockable)) {
    for (const id of ids.get(kind.type) ?? []) {
      const object = await current(api, `${kind.path}/${id}`);
      if (object && (await liftLock(api, kind, object))) lifted++;
    }
  }
  return lifted;
}
