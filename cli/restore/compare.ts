import * as fs from "node:fs";
import * as path from "node:path";
import { openArtifacts } from "../../artifacts";
import type { Manifest } from "../backup/manifest";
import { root } from "../paths";
import { say, UserError } from "../ui";

/** What keeps data in a form that an older one of it can't read, and how many parts of its version count. */
const keepers: Record<string, number> = { postgresql: 1, vault: 2 };

const parts = (version: string, count: number): number[] => (version.match(/\d+/g) ?? []).slice(0, count).map(Number);

/** Whether one version is newer than another by its first parts. */
export function isNewer(version: string, than: string, count: number): boolean {
  const [a, b] = [parts(version, count), parts(than, count)];
  const at = a.findIndex((part, index) => part !== (b[index] ?? 0));
  return at >= 0 && a[at]! > (b[at] ?? 0);
}

/** @throws UserError where the backup was taken with a newer version of something than this checkout has */
export function refuseOlder({ id, versions }: Manifest): void {
  const here = new Map(
    openArtifacts()
      .list()
      .map(({ name, version }) => [name, version]),
  );
  for (const [name, count] of Object.entries(keepers)) {
    const [then, now] = [versions[name], here.get(name)];
    if (then === undefined || now === undefined || !isNewer(then, now, count)) continue;
    throw new UserError(
      `the backup ${id} was taken with ${name} ${then}, and this checkout has ${now}, which can't read it: use a newer checkout`,
    );
  }
}

/** Says where the stack's file is not what it was: what counts is the file of the checkout. */
export function sayChanges({ stack, settings }: Manifest): void {
  const file = `Pulumi.${stack}.yaml`;
  if (fs.readFileSync(path.join(root, file), "utf8") === settings) return;
  say(`${file} has changed since the backup: the stack becomes what the file says now`);
}
