import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { Host, SshConnection } from "./host";

/** A file on a machine. */
export interface RemoteFile {
  path: string;
  /** @default "644" */
  mode?: string;
  content: string;
}

/** Ends a file's content inside a script; it must not be a line of the content. */
const end = "GROUNDWORK-END-OF-FILE";

/** Shell lines that bring the files to the machine; `$changed` then lists those that were not so already. */
export function writeFiles(files: RemoteFile[]): string {
  return files
    .map(({ path, mode, content }) => {
      if (content.split("\n").includes(end)) throw new Error(`${path} contains the line ${end}`);
      return `put ${mode ?? "644"} '${path}' <<'${end}'\n${content.endsWith("\n") ? content : content + "\n"}${end}\n`;
    })
    .join("");
}

/** What every script begins with. */
const helpers = `set -euo pipefail
changed=''
fail() { echo "$(hostname): $*" >&2; exit 1; }
put() { # MODE PATH, content on standard input
  mkdir -p "$(dirname "$2")"
  (umask 077; cat > "$2.new")
  chmod "$1" "$2.new"
  if cmp -s "$2.new" "$2"; then rm "$2.new"; chmod "$1" "$2"; else mv "$2.new" "$2"; changed="$changed $2"; fi
}
await() { # SECONDS INTERVAL COMMAND...: asks until the command succeeds
  local end=$((SECONDS + $1)) interval=$2
  shift 2
  until "$@" > /dev/null 2>&1; do [ "$SECONDS" -lt "$end" ] || return 1; sleep "$interval"; done
}
`;

/**
 * A script of two verbs as one text. The shell reads it whole before it runs any of it, so that no command in
 * it can swallow the rest from standard input.
 */
export function script(verbs: { apply: string; remove: string }, again = ""): string {
  return `{
${again === "" ? "" : `# runs again when this changes: ${again.replaceAll("\n", " ")}`}
${helpers}
apply() {
${verbs.apply}
}
remove() {
${verbs.remove || ":"}
}
"$1" < /dev/null
exit
}
`;
}

/** The connection as the command provider takes it, through the jump host where there is one. */
export function connectionTo(ssh: SshConnection): command.types.input.remote.ConnectionArgs {
  const { proxy, ...end } = ssh;
  return { ...endOf(end), ...(proxy === undefined ? {} : { proxy: endOf(proxy) }) };
}

const endOf = ({ host, port, user, privateKey, hostKey }: Omit<SshConnection, "proxy">) => ({
  ...{ host, port, user, privateKey },
  ...(hostKey === undefined ? {} : { hostKey }),
});

export interface RemoteScriptArgs {
  host: Pick<Host, "ssh" | "machine">;
  /** Brings the machine to the wanted state; can be repeated. Its standard output becomes `stdout`. */
  apply: pulumi.Input<string>;
  /** Takes back what `apply` did; left out when the machine goes away itself. @default nothing to do */
  remove?: pulumi.Input<string>;
  /** Failed attempts to connect until it is an error; a machine that is just starting needs more. @default 5 */
  dialErrorLimit?: number;
  /** Runs again when any of these change, besides when the script or the machine does. They end up in the state: no secrets. */
  triggers?: pulumi.Input<unknown>[];
  /**
   * The machine that this is about, where another one in its place means that `remove` runs before anything is done for the new
   * one. Else the script just runs again. @default none
   */
  replaceWith?: Pick<Host, "machine">;
  /** Shows what it writes to standard error while it succeeds; nothing secret may be there. @default false */
  warns?: boolean;
}

/** What tells a machine from the one that stands in its place later. */
export const identityOf = ({ machine }: Pick<Host, "machine">): pulumi.Input<string> =>
  pulumi.CustomResource.isInstance(machine) ? machine.id : "";

/**
 * Runs a script on a machine as the resource's life goes. The script travels by standard input: never in a
 * process's arguments, never in an error's text, and it may hold secrets when its text is a secret output.
 */
export function remoteScript(name: string, args: RemoteScriptArgs, opts: pulumi.CustomResourceOptions) {
  return new command.remote.Command(
    name,
    {
      connection: { ...connectionTo(args.host.ssh), dialErrorLimit: args.dialErrorLimit ?? 5 },
      create: "bash -s -- apply",
      update: "bash -s -- apply",
      // Where there is nothing to take back nobody is dialled: the machine may be gone, with another one at its address.
      ...(args.remove === undefined ? {} : { delete: "bash -s -- remove" }),
      // What makes it run again stands in the text. A trigger of the provider would replace the resource, which runs `remove`
      // after `apply`.
      stdin: pulumi
        .all([args.apply, args.remove ?? "", identityOf(args.host), args.triggers ?? []])
        .apply(([apply, remove, ...again]) => script({ apply, remove }, JSON.stringify(again))),
      ...(args.replaceWith?.machine === undefined ? {} : { triggers: [identityOf(args.replaceWith)] }),
      // On failure the output is part of the error all the same.
      logging: args.warns ? "stderr" : "none",
      addPreviousOutputInEnv: false,
    },
    {
      deletedWith: args.host.machine,
      // States of before have triggers; taking these away would be a replacement, too.
      ...(args.replaceWith === undefined ? { ignoreChanges: ["triggers"] } : { deleteBeforeReplace: true }),
      ...opts,
    },
  );
}
