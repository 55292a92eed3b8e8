import type { Engine } from "../engine";
import { say, UserError } from "../ui";
import { explainCloudErrors } from "../cloud-errors";

interface Exported {
  deployment?: { resources?: { urn: string; type: string; id?: string }[] };
}

const serverType = "hcloud:index/server:Server";

/**
 * Looks whether the stack's machines at Hetzner are still there, so that one that is gone is made anew by this run: the engine itself
 * takes for granted what its state says. It is one request a machine; a refresh of everything would ask the cluster for each of
 * its objects, too.
 */
export async function lookAfterServers(engine: Engine, stack: string, config: string): Promise<void> {
  const exported = await engine.run(["stack", "export", "--stack", stack]);
  if (exported.code !== 0) return;
  const resources = (JSON.parse(exported.stdout) as Exported).deployment?.resources ?? [];
  const targets = resources.filter(({ type, id }) => type === serverType && id).flatMap(({ urn }) => ["--target", urn]);
  if (targets.length === 0) return;
  const args = ["refresh", "--stack", stack, "--yes", "--skip-preview", "--non-interactive", ...targets];
  const { code, stdout, stderr } = await engine.run(engine.defaults(args, config));
  if (code !== 0) {
    const told = explainCloudErrors([{ urn: "", message: `hcloud: ${stdout}\n${stderr}` }]);
    throw new UserError(
      ["Hetzner does not tell whether the machines are there:", ...(told.length > 0 ? told : [stdout.trim()])].join(
        "\n",
      ),
    );
  }
  for (const [, name] of stdout.matchAll(/ hcloud:index:Server (\S+) deleted/g)) {
    say(`${name} is not at Hetzner any more: this run makes it anew`);
  }
}
