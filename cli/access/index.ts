import * as fs from "node:fs";
import * as path from "node:path";
import { stringify } from "yaml";
import { readArguments } from "../arguments";
import { AccessSettings, groupOf, RoleName, roleNames } from "../../components/identity";
import { checkStackFile } from "../../stacks/settings";
import { kubeconfigFile, root, stateFolder, writeAtomically } from "../paths";
import { chosenStack } from "../stack";
import { say, table, UserError } from "../ui";
import { type Login, loginOf } from "../kube";
import { KubeClient } from "./api";
import { issueCertificate } from "./certificate";

const usage = `usage: npm run access -- kubeconfig --user NAME [--group ${roleNames.join("|")}] [--hours N] [--out FILE] [--stack NAME]
       npm run access -- list [--stack NAME]

  kubeconfig   make a kubeconfig with a client certificate of some hours, in a file of mode 0600
  list         show who is in which group, as the stack's file says`;

/** Who is in which group. */
const members = (settings: AccessSettings): Record<RoleName, string[]> => ({
  admin: settings.admins,
  developer: settings.developers,
  viewer: settings.viewers,
});

/** The group of a person; throws where the stack's file does not name the person, or names another group. */
export function roleOf(settings: AccessSettings, user: string, asked: string | undefined): RoleName {
  if (asked !== undefined && !roleNames.includes(asked as RoleName)) {
    throw new UserError(`no group "${asked}": there are ${roleNames.join(", ")}`);
  }
  const found = roleNames.find((role) => members(settings)[role].includes(user));
  if (found === undefined) {
    const key = `groundwork:access.${asked ?? "viewer"}s`;
    throw new UserError(`${user} is in no group: add the name to ${key} in the stack's file, and have that reviewed`);
  }
  if (asked !== undefined && asked !== found) throw new UserError(`${user} is in the group ${found}, not in ${asked}`);
  return found;
}

/** A kubeconfig's text for somebody with a certificate. */
export function kubeconfigText(stack: string, user: string, { server, ca, certificate, key }: Login): string {
  const base64 = (value = "") => Buffer.from(value).toString("base64");
  const name = `${user}@${stack}`;
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: stack, cluster: { server, "certificate-authority-data": base64(ca) } }],
    users: [{ name, user: { "client-certificate-data": base64(certificate), "client-key-data": base64(key) } }],
    contexts: [{ name, context: { cluster: stack, user: name } }],
    "current-context": name,
  });
}

/** `npm run access`. Returns the exit code; no secret is printed. */
export async function access(argv: string[]): Promise<number> {
  const line = parse(argv);
  const { values } = line;
  const verb = line.positionals[0];
  if (values.help || verb === undefined) {
    process.stdout.write(`${usage}\n`);
    return values.help ? 0 : 1;
  }
  const stack = chosenStack(values.stack);
  const { problems, settings } = checkStackFile(path.join(root, `Pulumi.${stack}.yaml`));
  if (!settings) throw new UserError(problems.join("\n"));
  if (verb === "list") {
    process.stdout.write(list(settings.access));
    return 0;
  }
  if (verb !== "kubeconfig") throw new UserError(`no verb "${verb}"\n\n${usage}`);
  if (values.user === undefined) throw new UserError(`--user is missing\n\n${usage}`);
  const { user } = values;
  const role = roleOf(settings.access, user, values.group);
  if (!settings.access.enabled) {
    throw new UserError(`stack ${stack} has no roles yet: set groundwork:access.enabled to true, and run up`);
  }
  const hours = hoursOf(values.hours, settings.access.certificateHours);
  if (!fs.existsSync(kubeconfigFile(stack))) {
    throw new UserError(`stack ${stack} is not up here: run \`npm run up -- --stack ${stack}\``);
  }
  const administrator = loginOf(kubeconfigFile(stack));
  const issued = await issueCertificate(new KubeClient(administrator), { user, group: groupOf(role), hours });
  const login = { ...administrator, certificate: issued.certificate, key: issued.privateKey, token: undefined };
  const file = path.resolve(values.out ?? path.join(stateFolder("access", stack), `${user}.kubeconfig`));
  writeAtomically(file, kubeconfigText(stack, user, login), 0o600);
  const me = await whoAmI(new KubeClient(login));
  say(`${me.username} in ${me.groups?.filter((name) => name !== "system:authenticated").join(", ")}`);
  say(`until ${issued.notAfter.toISOString()}; a certificate can't be taken back earlier`);
  process.stdout.write(`${file}\n`);
  return 0;
}

function parse(argv: string[]) {
  const text = { type: "string" } as const;
  return readArguments(usage, {
    args: argv,
    allowPositionals: true,
    options: { user: text, group: text, hours: text, out: text, stack: text, help: { type: "boolean", short: "h" } },
  });
}

/** The lifetime: what was asked for, but no more than the stack's file allows. */
export function hoursOf(asked: string | undefined, most: number): number {
  if (asked === undefined) return most;
  const hours = Number(asked);
  if (!Number.isInteger(hours) || hours < 1 || hours > most) {
    throw new UserError(`--hours must be a whole number from 1 to ${most} (groundwork:access.certificateHours)`);
  }
  return hours;
}

const list = (settings: AccessSettings): string => {
  const rows = roleNames.map((role) => [
    groupOf(role),
    members(settings)[role].join(", ") || "-",
    role === "developer" ? settings.namespaces.join(", ") : "all",
  ]);
  return `${table(["group", "people", "namespaces"], rows)}\n`;
};

/** Who the API server takes the caller for: the proof that the certificate works. */
async function whoAmI(api: KubeClient): Promise<{ username: string; groups?: string[] }> {
  const answer = await api.request<{ status: { userInfo: { username: string; groups?: string[] } } }>(
    "POST",
    "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" },
  );
  return answer.status.userInfo;
}
