import * as path from "node:path";
import { cloudEndpoint } from "../../components/host/hcloud/endpoint";
import { checkStackFile, type Settings } from "../../stacks/settings";
import type { Engine } from "../engine";
import { root } from "../paths";
import { UserError } from "../ui";
import { type CloudAccess, CloudApi, CloudApiError } from "./api";

/** The stack's settings; undefined where its file is wrong, so that a stack can be looked at and deleted all the same. */
export const settingsIfRight = (stack: string): Settings | undefined =>
  checkStackFile(path.join(root, `Pulumi.${stack}.yaml`)).settings;

/** Whether the stack's machines are bought from a cloud. */
export const isCloud = (settings: Settings | undefined): boolean => (settings?.target.driver as string) === "hcloud";

/**
 * The token of the stack's project and the API's address: the token from the environment, else the stack's secret
 * `hcloud:token`; the address from the environment, else the stack's settings.
 *
 * @throws UserError where there is no token
 */
export async function cloudAccess(
  stack: string,
  { engine, config }: { engine?: Engine; config?: string } = {},
): Promise<CloudAccess> {
  const endpoint = cloudEndpoint(settingsIfRight(stack)?.target as { endpoint?: string } | undefined);
  const token = process.env["HCLOUD_TOKEN"] ?? (await tokenOfStack(stack, engine, config));
  if (!token) {
    throw new UserError(
      "there is no token for the cloud: set HCLOUD_TOKEN to one of the stack's project with read and write rights, " +
        `or keep it with the stack: npx pulumi config set --secret hcloud:token --stack ${stack}`,
    );
  }
  return { token, ...(endpoint && { endpoint }) };
}

async function tokenOfStack(stack: string, engine?: Engine, config?: string): Promise<string | undefined> {
  if (!engine) return undefined;
  const file = config === undefined ? [] : ["--config-file", config];
  const found = await engine.run(["config", "get", "hcloud:token", "--stack", stack, ...file]);
  return found.code === 0 ? found.stdout.trim() || undefined : undefined;
}

/** Opens the API, and asks it one thing, so that a wrong token is told before anything is changed. */
export async function openCloud(access: CloudAccess): Promise<CloudApi> {
  const api = new CloudApi(access);
  try {
    await api.get("/locations");
  } catch (error) {
    if (!(error instanceof CloudApiError)) throw error;
    if (error.code === "unauthorized") {
      throw new UserError(
        "the cloud does not take the token (HCLOUD_TOKEN, or the stack's hcloud:token): is it revoked?",
      );
    }
    throw new UserError(error.message);
  }
  return api;
}
