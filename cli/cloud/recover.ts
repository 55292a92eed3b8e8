import { prefixOf } from "../../components/host/hcloud/plan";
import type { Engine } from "../engine";
import {
  brokenServers,
  hasPendingCreates,
  recoverPendingCreates,
  type StackState,
  uncertain,
  type Undertaking,
} from "../strays";
import { say, UserError } from "../ui";
import { cloudAccess } from "./access";
import { CloudApi } from "./api";
import { refreshTargets } from "./refresh";

/**
 * Before a stack in the cloud is changed: takes back what a killed run had begun there, finds servers that have to be made anew, and
 * forgets what is gone and would be deleted. Says what it does, and gives what the engine has to be told: `--replace` with each
 * of those servers.
 */
export async function recoverCloud(
  engine: Engine,
  stack: string,
  { config, next }: { config: string; next: Undertaking },
): Promise<string[]> {
  const state = (await engine.exportState(stack)) as StackState;
  const resources = state.deployment?.resources ?? [];
  if (!hasPendingCreates(state) && !resources.some((r) => r.type.startsWith("hcloud:index/"))) return [];
  const api = new CloudApi(await cloudAccess(stack, { engine, config }));
  if (hasPendingCreates(state)) {
    const recovered = await recoverPendingCreates({ state, label: prefixOf(stack), api });
    for (const { result, what } of recovered) {
      if (result === "deleted") say(`removed ${what}: a run was ended while it was made, and it was never used`);
    }
    await engine.importState(stack, state);
    const foreign = recovered.filter(({ result }) => result === "foreign").map(({ what }) => what);
    if (foreign.length > 0) {
      throw new UserError(
        `the cloud's project has objects with names of this stack, and without its labels: ${foreign.join(", ")}. ` +
          "Rename or delete them there, or give the stack another name.",
      );
    }
  }
  const broken = await brokenServers(state, api);
  for (const { urn, why } of broken) say(`server ${urn.split("::").at(-1)!} will be made anew: ${why}`);
  // Only now: a refresh takes away the note that a creation had failed.
  await refreshTargets(engine, stack, { config, targets: uncertain(state, next) });
  return broken.flatMap(({ urn }) => ["--replace", urn]);
}
