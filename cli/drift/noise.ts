/** A field that changes without anybody drifting from anything. */
export interface Noise {
  /** Types of resources. */
  type: RegExp;
  /** Paths of fields, as `metadata.generation` or `targets[0].serverId`. */
  path: RegExp;
  reason: string;
}

/** What is left out of a drift report, each with its reason. A field that a person could have meant to change does not belong here. */
export const noise: readonly Noise[] = [
  { type: /^kubernetes:/, path: /^status(\.|\[|$)/, reason: "controllers report there what they see" },
  {
    type: /^kubernetes:/,
    path: /^metadata\.(resourceVersion|generation|managedFields|selfLink)(\.|\[|$)/,
    reason: "the API server counts there, with every write of anybody",
  },
  {
    type: /^kubernetes:/,
    path: /^metadata\.annotations\.(deployment\.kubernetes\.io\/revision|kubectl\.kubernetes\.io\/restartedAt|pv\.kubernetes\.io\/.*|volume\.(beta\.)?kubernetes\.io\/.*|control-plane\.alpha\.kubernetes\.io\/leader)$/,
    reason: "controllers note there what they did",
  },
  {
    type: /^kubernetes:/,
    path: /(^|\.)caBundle$/,
    reason: "operators write their own certificate authority into webhooks and definitions",
  },
  {
    type: /^kubernetes:core\/v1:(Namespace|Service|PersistentVolumeClaim|ServiceAccount)$/,
    path: /^(metadata\.finalizers|spec\.finalizers|secrets)(\[|$)/,
    reason: "controllers add their own finalizers and references",
  },
  {
    type: /^hcloud:index\/server:Server$/,
    path: /^(status|backupWindow|primaryDiskSize|locked)$/,
    reason: "the machine's state, and what the cloud chose itself",
  },
  {
    type: /^hcloud:/,
    path: /^(ignoreRemoteFirewallIds|allowDeprecatedImages|keepDisk|shutdownBeforeDeletion|automount|format)$/,
    reason: "says how the provider works, and is not kept by the cloud",
  },
  {
    type: /^hcloud:index\/volume:Volume$/,
    path: /^linuxDevice$/,
    reason: "a name that follows from the volume's id",
  },
];

/** Why a field is left out; undefined for one that counts. */
export const noiseReason = (type: string, path: string): string | undefined =>
  noise.find((one) => one.type.test(type) && one.path.test(path))?.reason;
