import * as fs from "node:fs";
import * as path from "node:path";
import { root } from "../../../cli/paths";
import { cloudEndpoint } from "./endpoint";
import type { HcloudSettings } from "./settings";

/** Where the API is unless the settings or HCLOUD_ENDPOINT say otherwise. */
const officialEndpoint = "https://api.hetzner.cloud/v1";

/** What the API answered to a harmless question, or why it did not. */
export type Answer = { status: number; remaining?: number } | { failure: string };

const how =
  "make one for reading and writing in the Hetzner Cloud Console (project, Security, API tokens) and set HCLOUD_TOKEN, or " +
  "`npx pulumi config set --secret hcloud:token`";

/** What stands in the way of ordering at Hetzner; pure, so that each message can be tested. */
export function hcloudPreflight(hasToken: boolean, answer: Answer | undefined, endpoint: string): string[] {
  if (!hasToken) return [`there is no token for Hetzner Cloud: ${how}`];
  if (answer === undefined) return [];
  if ("failure" in answer) {
    return [`Hetzner's API does not answer at ${endpoint} (${answer.failure}): is there a way to it from here?`];
  }
  if (answer.status === 401) return [`Hetzner Cloud refuses the token: ${how}`];
  if (answer.status === 403) return ["the token for Hetzner Cloud may only read: make one for reading and writing"];
  if (answer.status === 429 || answer.remaining === 0) {
    return [
      "the project's 3,600 requests an hour to Hetzner's API are used up: wait some minutes, one comes back each second",
    ];
  }
  return answer.status >= 500 ? [`Hetzner's API fails (status ${answer.status}): see https://status.hetzner.com`] : [];
}

/** Whether the stack's file has a token; it is encrypted there, and the engine's to try. */
function tokenInFile(stack: string): boolean {
  const file = path.join(root, `Pulumi.${stack}.yaml`);
  return fs.existsSync(file) && /^\s*"?hcloud:token"?\s*:/m.test(fs.readFileSync(file, "utf8"));
}

/** Asks the API one question that changes nothing. A token that only the stack's file has is not tried. */
export async function probeHcloud(settings: HcloudSettings, stack: string): Promise<string[]> {
  const token = process.env["HCLOUD_TOKEN"];
  const endpoint = cloudEndpoint(settings) ?? officialEndpoint;
  if (!token) return hcloudPreflight(tokenInFile(stack), undefined, endpoint);
  return hcloudPreflight(true, await ask(endpoint, token), endpoint);
}

async function ask(endpoint: string, token: string): Promise<Answer> {
  try {
    const answer = await fetch(`${endpoint.replace(/\/$/, "")}/ssh_keys?per_page=1`, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(10_000),
    });
    const remaining = answer.headers.get("ratelimit-remaining");
    return { status: answer.status, ...(remaining === null ? {} : { remaining: Number(remaining) }) };
  } catch (error) {
    const { cause, message } = error as Error & { cause?: Error };
    return { failure: cause?.message ?? message };
  }
}
