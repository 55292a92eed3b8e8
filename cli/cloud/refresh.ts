import type { Engine } from "../engine";
import { UserError } from "../ui";

/** Has the engine ask the cloud again for these resources alone, and forget those that are gone. */
export async function refreshTargets(
  engine: Engine,
  stack: string,
  { config, targets }: { config: string; targets: readonly string[] },
): Promise<void> {
  if (targets.length === 0) return;
  const args = ["refresh", "--stack", stack, "--yes", "--skip-preview", "--non-interactive", "--skip-pending-creates"];
  for (const urn of targets) args.push("--target", urn);
  const { code, stdout, stderr } = await engine.run(engine.defaults(args, config));
  if (code !== 0) throw new UserError(`the cloud could not be asked again:\n${(stderr || stdout).trim()}`);
}
