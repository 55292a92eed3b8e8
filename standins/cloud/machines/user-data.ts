import { gunzipSync } from "node:zlib";
import { parse } from "yaml";
import { z } from "zod";
import { CloudError } from "../backend";

/** What user data asks for, as far as a server of the emulator can give it. */
export interface UserData {
  hostname?: string;
  /** Lines of root's authorized_keys. */
  authorizedKeys: string[];
  /** Path to content of the SSH server's host keys. */
  hostKeys: Record<string, string>;
  files: { path: string; content: Buffer; mode: number; append: boolean }[];
  /** Shell that runs at each start, before the network's users. */
  boot: string;
  /** Shell that runs once, after the first start. */
  once: string;
  /** Debian packages that must be there. */
  packages: string[];
}

const commands = z.array(z.union([z.string(), z.array(z.union([z.string(), z.number()]))]));
const text = z.union([z.string(), z.number()]).transform(String);

const file = z.strictObject({
  path: z.string().startsWith("/"),
  content: z.string().default(""),
  encoding: z.enum(["text/plain", "b64", "base64", "gz+b64", "gz+base64", "gzip+base64"]).default("text/plain"),
  permissions: text.default("0644"),
  owner: z.enum(["root:root", "root"]).default("root:root"),
  append: z.boolean().default(false),
  defer: z.boolean().optional(),
});

const user = z.union([
  z.literal("default"),
  z.strictObject({
    name: z.literal("root"),
    ssh_authorized_keys: z.array(z.string()).default([]),
    lock_passwd: z.boolean().optional(),
    shell: z.string().optional(),
  }),
]);

/** True of every server here anyway, or without a meaning for one. */
const indifferent = [
  ...["chpasswd", "disable_root", "final_message", "growpart", "locale", "manage_etc_hosts", "package_update"],
  ...["package_upgrade", "preserve_hostname", "resize_rootfs", "ssh_deletekeys", "ssh_genkeytypes", "ssh_pwauth"],
  ...["ssh_quiet_keygen", "timezone"],
];

/** The part of cloud-init's modules that the emulator has (docs.cloud-init.io/en/latest/reference/modules.html). */
const cloudConfig = z.strictObject({
  hostname: z.string().optional(),
  fqdn: z.string().optional(),
  ssh_authorized_keys: z.array(z.string()).default([]),
  users: z.array(user).default([]),
  ssh_keys: z.record(z.string().regex(/^(rsa|ecdsa|ed25519)_(private|public)$/), z.string()).default({}),
  write_files: z.array(file).default([]),
  bootcmd: commands.default([]),
  runcmd: commands.default([]),
  packages: z.array(z.string()).default([]),
  ...Object.fromEntries(indifferent.map((key) => [key, z.unknown().optional()])),
});

const quoted = (word: string | number): string => `'${String(word).replaceAll("'", "'\\''")}'`;

/** As cloud-init does: a list is a command with its arguments, a string is shell. One that fails does not end the others. */
const shell = (lines: z.infer<typeof commands>): string =>
  lines.map((line) => `${typeof line === "string" ? line : line.map(quoted).join(" ")}\n`).join("");

function decode({ content, encoding }: z.infer<typeof file>): Buffer {
  if (encoding === "text/plain") return Buffer.from(content);
  const bytes = Buffer.from(content, "base64");
  return encoding.startsWith("gz") ? gunzipSync(bytes) : bytes;
}

/**
 * Reads user data: a cloud-config, or a script. What a real server would do and this one can't is refused, instead of left out in
 * silence: then a test that passes here says something.
 */
export function readUserData(given: string): UserData {
  const none: UserData = { authorizedKeys: [], hostKeys: {}, files: [], boot: "", once: "", packages: [] };
  if (given.trim() === "") return none;
  if (given.startsWith("#!")) return { ...none, once: given };
  if (!/^#cloud-config\s*$/m.test(given.split("\n")[0]!)) {
    throw refused("it begins neither with #cloud-config nor with #!");
  }
  let content: unknown;
  try {
    content = parse(given) ?? {};
  } catch (error) {
    throw refused((error as Error).message);
  }
  const read = cloudConfig.safeParse(content);
  if (!read.success) {
    throw refused(read.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; "));
  }
  const config = read.data;
  const keys = config.users.flatMap((one) => (one === "default" ? [] : one.ssh_authorized_keys));
  return {
    hostname: config.fqdn?.split(".")[0] ?? config.hostname,
    authorizedKeys: [...config.ssh_authorized_keys, ...keys],
    hostKeys: Object.fromEntries(
      Object.entries(config.ssh_keys).map(([key, value]) => {
        const [kind, half] = key.split("_");
        return [`/etc/ssh/ssh_host_${kind}_key${half === "public" ? ".pub" : ""}`, `${value.trim()}\n`];
      }),
    ),
    files: config.write_files.map((one) => ({
      path: one.path,
      content: decode(one),
      mode: Number.parseInt(one.permissions, 8),
      append: one.append,
    })),
    boot: shell(config.bootcmd),
    once: config.runcmd.length > 0 ? `#!/bin/sh\n${shell(config.runcmd)}` : "",
    packages: config.packages,
  };
}

const refused = (why: string): CloudError =>
  new CloudError("invalid_input", `the emulator's servers can't follow this user_data: ${why}`, {
    fields: [{ name: "user_data", messages: [why] }],
  });
