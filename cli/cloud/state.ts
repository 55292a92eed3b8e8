import type { Engine } from "../engine";
import { kindNamed } from "./kinds";

/** The part of a stack's checkpoint that is read. */
interface Deployment {
  deployment?: { resources?: { type: string; id?: string }[] };
}

/** What a stack's state holds of the cloud: ids by type. Undefined where the backend has no such stack. */
export async function idsInState(engine: Engine, stack: string): Promise<Map<string, Set<string>> | undefined> {
  if (!(await engine.exists(stack))) return undefined;
  const exported = await engine.run(["stack", "export", "--stack", stack]);
  if (exported.code !== 0) throw new Error(exported.stderr.trim());
  return idsOf(JSON.parse(exported.stdout) as Deployment);
}

/** The same from a checkpoint. */
export function idsOf({ deployment }: Deployment): Map<string, Set<string>> {
  const ids = new Map<string, Set<string>>();
  for (const { type, id } of deployment?.resources ?? []) {
    if (!type.startsWith("hcloud:") || !id) continue;
    // Both kinds of certificates are one list in the API.
    const key = /Certificate$/.test(type) ? kindNamed("certificate").type : type;
    ids.set(key, (ids.get(key) ?? new Set()).add(id));
  }
  return ids;
}
