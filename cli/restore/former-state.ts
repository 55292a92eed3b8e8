/** A resource in a checkpoint, as far as it is read here (Pulumi's deployment schema, version 3). */
export interface StateResource {
  urn: string;
  type: string;
  custom?: boolean;
  parent?: string;
  provider?: string;
  dependencies?: string[];
  propertyDependencies?: Record<string, string[] | null>;
  deletedWith?: string;
  outputs?: Record<string, unknown>;
  [key: string]: unknown;
}

export interface Checkpoint {
  version: number;
  deployment: { resources?: StateResource[]; pending_operations?: unknown[]; [key: string]: unknown };
}

/**
 * What outlives a cluster: values that were made once (keys, certificates of the stack's own authority, passwords), so that
 * clients go on trusting what they trusted; and what a cloud may still have, which only the cloud can tell.
 */
const outlives = /^(?:pulumi:providers:)?(random|tls|hcloud)(?::|$)/;

const rootType = "pulumi:pulumi:Stack";

/** Kinds that the cloud is asked about before anything is made. */
export const fromCloud = ({ type }: StateResource): boolean => type.startsWith("hcloud:");
/** Machines of the cloud. */
export const isServer = ({ type }: StateResource): boolean => /^hcloud:index\/server:Server$/.test(type);

/** Whether a state knows anything that runs somewhere. */
export const knowsCluster = ({ deployment }: Checkpoint): boolean =>
  (deployment.resources ?? []).some(({ type, custom }) => custom === true && !/^(pulumi:|random:|tls:)/.test(type));

/**
 * A state without what died with the machines: objects of the cluster, commands that ran on machines, and the components that
 * held nothing else. The next `up` makes those anew, from the same keys and passwords.
 */
export function withoutCluster(checkpoint: Checkpoint): Checkpoint {
  const all = checkpoint.deployment.resources ?? [];
  const byUrn = new Map(all.map((resource) => [resource.urn, resource]));
  const kept = new Set<string>();
  const keep = (urn: string | undefined): void => {
    const resource = urn === undefined ? undefined : byUrn.get(urn);
    if (!resource || kept.has(resource.urn)) return;
    kept.add(resource.urn);
    keep(resource.parent);
    // `urn::id`
    keep(resource.provider?.slice(0, resource.provider.lastIndexOf("::")));
  };
  for (const resource of all) {
    const { type, urn } = resource;
    if (type === rootType || (outlives.test(type) && !type.startsWith("pulumi:providers:"))) keep(urn);
  }
  const resources = all.filter(({ urn }) => kept.has(urn)).map((resource) => withoutTies(resource, kept));
  const { pending_operations: _pending, ...deployment } = checkpoint.deployment;
  return { ...checkpoint, deployment: { ...deployment, resources } };
}

/** A resource without its ties to what is not there any more; outputs of the whole stack tell of a cluster that is gone. */
function withoutTies(resource: StateResource, kept: Set<string>): StateResource {
  const there = (urn: string): boolean => kept.has(urn);
  const { deletedWith, dependencies, propertyDependencies, ...rest } = resource;
  return {
    ...rest,
    ...(dependencies && { dependencies: dependencies.filter(there) }),
    ...(propertyDependencies && {
      propertyDependencies: Object.fromEntries(
        Object.entries(propertyDependencies).map(([key, urns]) => [key, urns?.filter(there) ?? null]),
      ),
    }),
    ...(deletedWith !== undefined && there(deletedWith) && { deletedWith }),
    ...(resource.type === rootType && { outputs: {} }),
  };
}

/**
 * One stack's keys and passwords as another's, so that clients trust the one as they trust the other. Nothing of a cloud comes
 * along: that is the first one's, and stays so.
 */
export function forAnotherStack(checkpoint: Checkpoint, from: string, to: string): Checkpoint {
  const mine = JSON.parse(
    JSON.stringify(checkpoint)
      .replaceAll(`"urn:pulumi:${from}::`, `"urn:pulumi:${to}::`)
      // The root's name has the stack's in it.
      .replaceAll(`::pulumi:pulumi:Stack::groundwork-${from}"`, `::pulumi:pulumi:Stack::groundwork-${to}"`),
  ) as Checkpoint;
  const resources = (mine.deployment.resources ?? []).filter((resource) => !fromCloud(resource));
  return { ...mine, deployment: { ...mine.deployment, resources } };
}
