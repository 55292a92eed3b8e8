/** What the instance tool needs to know of one machine; nothing in it is secret. */
export interface InstanceSpec {
  stack: string;
  name: string;
  image: string;
  cpus: number;
  /** As the settings have it, `4Gi`. */
  memory: string;
  disk: string;
  /** Goes into root's authorized_keys. */
  publicKey: string;
}

/** The instance's name, which Multipass wants of letters, digits and dashes. */
export const instanceName = (of: { stack: string; name: string }): string =>
  `groundwork-${of.stack.replace(/[^a-zA-Z0-9-]/g, "-")}-${of.name}`;

/** `4Gi` as Multipass takes it: its K, M and G are powers of 1024. */
export const multipassSize = (size: string): string => size.replace(/i$/, "");

/**
 * User data of cloud-init: root's key and a name, nothing else; the rest comes over SSH. The default user stays as Multipass's
 * own way in, and with it `multipass exec`.
 */
export function userData({ name, publicKey }: Pick<InstanceSpec, "name" | "publicKey">): string {
  const key = JSON.stringify(publicKey.trim());
  return `#cloud-config
hostname: ${name}
preserve_hostname: false
disable_root: false
users:
  - default
  - name: root
    ssh_authorized_keys:
      - ${key}
`;
}

/** The command line that makes the instance; its user data comes by standard input, which a confined command can always read. */
export const launchArgs = (spec: InstanceSpec): string[] => [
  ...["launch", spec.image, "--name", instanceName(spec)],
  ...["--cpus", String(spec.cpus), "--memory", multipassSize(spec.memory), "--disk", multipassSize(spec.disk)],
  ...["--cloud-init", "-", "--timeout", "900"],
];
