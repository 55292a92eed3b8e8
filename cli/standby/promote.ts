import * as fs from "node:fs";
import * as path from "node:path";
import { parseDocument } from "yaml";
import { servesRow } from "../backup/parts/row";
import { root, writeAtomically } from "../paths";
import { checkSettings } from "../prepare";
import { Progress } from "../restore/progress";
import { savedReport } from "../stack";
import { ask, say, UserError } from "../ui";
import { up } from "../up";
import { lastSync } from "./notes";

const key = "groundwork:standby";

/** A stack's file with the mark that it serves; everything else in it, comments too, as it was. */
export function promotedFile(text: string): string {
  const document = parseDocument(text);
  document.setIn(["config", key, "promoted"], true);
  return document.toString();
}

/** `standby promote`: has the standby serve. Its file says so from then on, so that no later `up` takes it back. */
export async function promote(stack: string, yes: boolean): Promise<number> {
  const settings = checkSettings(stack);
  if (!settings.standby) throw new UserError(`${stack} is no standby: its file says nothing of ${key}`);
  const synced = lastSync(stack);
  if (!synced || Progress.of(stack)) {
    throw new UserError(`${stack} has no data yet: npm run standby -- sync --stack ${stack}`);
  }
  if (synced.unfinished) {
    throw new UserError(
      `a sync of ${stack} from ${synced.unfinished} did not end, so its Vault and its databases are of two moments. ` +
        `Run it again, then this: npm run standby -- sync --stack ${stack} --backup ${synced.unfinished}`,
    );
  }
  const { of } = settings.standby;
  const age = Math.round((Date.now() - Date.parse(synced.taken)) / 1000);
  say(`${stack} will serve in the place of ${of}, with what that had at ${synced.taken}, ${age} s ago.`);
  say(`What was written there since is not in it. Be sure that ${of} does not serve any more.`);
  if (!yes && (await ask("Type the standby's name to go on: ")) !== stack) {
    throw new UserError("nothing was changed: the name was not given (without a terminal, add --yes)");
  }
  const began = Date.now();
  const file = path.join(root, `Pulumi.${stack}.yaml`);
  writeAtomically(file, promotedFile(fs.readFileSync(file, "utf8")));
  if ((await up({ stack, yes: true })) !== 0) {
    throw new UserError(`${stack} is not all ready: mend that and run this again`);
  }
  const report = savedReport(stack);
  if (synced.row && !(await servesRow(report, synced.row))) {
    throw new UserError(`the API of ${stack} does not serve ${synced.row.path} as ${of} did`);
  }
  if (synced.row) say(`proved: the API serves ${synced.row.path} as ${of} did, over TLS`);
  process.stdout.write(`RPO: ${age} s (data as of ${synced.taken}, age when the promotion began)\n`);
  process.stdout.write(`RTO: ${Math.round((Date.now() - began) / 1000)} s (from the command to the proof)\n`);
  process.stdout.write(`DNS: point ${report.hostnames.join(", ")} to ${report.ingressAddress}\n`);
  process.stdout.write(`git: commit Pulumi.${stack}.yaml, which says that it serves\n`);
  return 0;
}
