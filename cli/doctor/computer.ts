import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { openArtifacts } from "../../artifacts";
import { settle } from "../../components/host/choice";
import { checkStackFile, Settings } from "../../stacks/settings";
import { root, stateDir } from "../paths";
import { keptChoice } from "../target";
import { broken, Finding, reason, well, worrying } from "./finding";

const gibibyte = 2 ** 30;

/** Free bytes below which images and databases begin to fail. */
const leastFree = 2 * gibibyte;

/** The stack's settings, and the finding about them. */
export function checkStack(stack: string): { settings?: Settings; findings: Finding[] } {
  const choice = keptChoice(stack);
  const settled = (target: unknown): unknown => (choice === undefined ? target : settle(target, choice));
  const { settings, problems } = checkStackFile(path.join(root, `Pulumi.${stack}.yaml`), settled);
  if (settings) return { settings, findings: [well("settings", `Pulumi.${stack}.yaml is right`)] };
  return {
    findings: problems.map((problem) => broken("settings", problem, `Mend Pulumi.${stack}.yaml.`)),
  };
}

/** The artefact cache, the disk and the memory of the computer that the stack is run from. */
export function checkComputer(): Finding[] {
  return [checkCache(), checkDisk(), checkMemory()];
}

function checkCache(): Finding {
  const check = "artefact cache";
  try {
    const all = openArtifacts().list();
    const gone = all.filter((artifact) => !fs.existsSync(artifact.path)).map((artifact) => artifact.name);
    if (gone.length > 0) {
      return broken(check, `lacks ${gone.join(", ")}`, "Run `npm run artifacts -- fetch`.");
    }
    return well(check, `${all.length} artefacts`);
  } catch (error) {
    return broken(check, reason(error), "Run `npm run artifacts -- fetch`.");
  }
}

function checkDisk(): Finding {
  const check = "disk";
  const { bavail, bsize } = fs.statfsSync(fs.existsSync(stateDir()) ? stateDir() : root);
  const free = bavail * bsize;
  const found = `${(free / gibibyte).toFixed(1)} GiB free`;
  if (free < leastFree) {
    return broken(check, found, "Make room: `npm run artifacts -- prune` deletes what no checkout uses.");
  }
  return well(check, found);
}

function checkMemory(): Finding {
  const check = "memory";
  const meminfo = fs.existsSync("/proc/meminfo") ? fs.readFileSync("/proc/meminfo", "utf8") : "";
  const kibibytes = /^MemAvailable:\s+(\d+)/m.exec(meminfo)?.[1];
  const available = kibibytes ? Number(kibibytes) * 1024 : os.freemem();
  const found = `${(available / gibibyte).toFixed(1)} GiB available`;
  return available < gibibyte / 2
    ? worrying(check, found, "Stop something else, or pods will be killed for memory.")
    : well(check, found);
}
