import * as fs from "node:fs";

/** What the engine says of a resource that failed; `urn` is empty where it is about no single one. */
export interface EngineError {
  urn: string;
  message: string;
}

/**
 * What is known of a failure at the cloud or on the way to a machine: how it is recognised, and what it means for a person. The
 * codes are those of Hetzner's API (docs.hetzner.cloud, Errors), which the provider shows in brackets behind the API's words.
 */
interface Known {
  sign: RegExp;
  /** `what` is the resource's name. Where the same explanation comes for several, their names are put together. */
  say: (found: RegExpExecArray, message: string) => string;
  /** The explanation is about the project and not about what failed. @default false */
  common?: boolean;
}

const code = (...names: string[]): RegExp => new RegExp(`\\((${names.join("|")})(?:[,)]|$)`);

/** Location and type that a request for a machine named are not in the API's answer; the settings have them. */
const elsewhere =
  "take another type or location in Pulumi.<stack>.yaml (machines that are there stay as they are), or try later";

const known: readonly Known[] = [
  {
    sign: code("unauthorized"),
    say: () =>
      "Hetzner Cloud refuses the token: set HCLOUD_TOKEN to one of the project's that may read and write (Console, Security, API tokens)",
    common: true,
  },
  {
    sign: code("token_readonly", "forbidden"),
    say: () => "the token for Hetzner Cloud may only read: make one for reading and writing and set HCLOUD_TOKEN to it",
    common: true,
  },
  {
    sign: /no token: set hcloud:token|entered token is invalid/,
    say: () => "there is no usable token for Hetzner Cloud: set HCLOUD_TOKEN to one of 64 characters from the Console",
    common: true,
  },
  {
    sign: code("rate_limit_exceeded"),
    say: () =>
      "the project's 3,600 requests an hour to Hetzner's API are used up; one comes back each second: wait some minutes",
    common: true,
  },
  {
    sign: code("resource_limit_exceeded"),
    say: () =>
      "the project's limit at Hetzner is reached: ask for a higher one (Console, Limits, answered in a day or so), or delete what " +
      "is not needed (`npm run orphans` lists what a stack left)",
  },
  {
    sign: code("resource_unavailable", "placement_error"),
    say: () => `Hetzner has none left of this type there: ${elsewhere}`,
  },
  {
    sign: code("uniqueness_error"),
    say: () =>
      "something of this name (or with this key) is in the Hetzner project already and is not this stack's: take it away or rename it " +
      "there, or use a project of its own for this stack",
  },
  {
    sign: code("protected"),
    say: () =>
      "it is protected from deletion: set groundwork:protect to false and run `npm run up` once, which takes the protection away, " +
      "then go on",
  },
  {
    sign: code("locked", "conflict"),
    say: () => "something else is being done to it at Hetzner: run this again in a minute",
  },
  {
    sign: code("invalid_server_type"),
    say: () =>
      "Hetzner does not change the machine to this type in place: its disk is too small for it, or the type is not to be had",
  },
  {
    sign: code("server_error", "service_error", "unavailable", "maintenance", "bad_gateway", "timeout"),
    say: () => "Hetzner's API failed: see https://status.hetzner.com, and try again in some minutes",
  },
  {
    sign: /host key mismatch|knownhosts: key mismatch/,
    say: () =>
      "the machine shows another host key than the one that it was made with. If you made it anew by hand, replace it by " +
      "`npm run up -- -- --replace URN`; if you did not, somebody may stand in between: look at it in the Console before anything else",
  },
  {
    sign: /unable to authenticate|no supported methods remain/,
    say: () =>
      "the machine does not take the stack's key: was authorized_keys changed there? Put the key back by the Console's rescue system, " +
      "or replace the machine",
  },
  {
    sign: /proxy: after \d+ failed attempts/,
    say: () =>
      "the gateway does not answer SSH: is it on, and is this computer's address in target.firewall.adminSources? (`curl -4 https://ip.hetzner.com` tells it)",
    common: true,
  },
  {
    sign: /after \d+ failed attempts|dial tcp .*(i\/o timeout|connection refused|no route to host)|context deadline exceeded/,
    say: () =>
      "the machine does not answer SSH: open its console at Hetzner and see whether it boots; then replace it by " +
      "`npm run up -- -- --replace URN` (the URN of its hcloud server), or run this again if it only was slow",
  },
];

/** The server, network or machine that a URN is about: its last part. */
const nameOf = (urn: string): string => urn.split("::").at(-1) ?? "";

/**
 * One line for each cause that is known, with the names of what it hit. Empty where nothing is known: then the engine's own words
 * are all there is.
 */
export function explainCloudErrors(errors: readonly EngineError[]): string[] {
  const found = new Map<string, Set<string>>();
  for (const { urn, message } of errors) {
    const isAbout = /hcloud|command:remote/.test(urn) || /hcloud/.test(message);
    if (!isAbout) continue;
    const match = known.map((one) => ({ one, hit: one.sign.exec(message) })).find(({ hit }) => hit !== null);
    if (!match) continue;
    const line = match.one.say(match.hit!, message);
    const names = found.get(line) ?? new Set<string>();
    if (match.one.common !== true && urn !== "") names.add(nameOf(urn));
    found.set(line, names);
  }
  return [...found].map(([line, names]) => (names.size === 0 ? line : `${[...names].join(", ")}: ${line}`));
}

/** The errors in an event log of the engine (`--event-log`): one JSON object a line. A line that is cut off is passed over. */
export function readErrors(file: string): EngineError[] {
  if (!fs.existsSync(file)) return [];
  return fs
    .readFileSync(file, "utf8")
    .split("\n")
    .flatMap((line) => {
      try {
        const { diagnosticEvent: event } = JSON.parse(line) as {
          diagnosticEvent?: { severity: string; urn?: string; message: string };
        };
        return event?.severity === "error" ? [{ urn: event.urn ?? "", message: event.message }] : [];
      } catch {
        return [];
      }
    });
}
