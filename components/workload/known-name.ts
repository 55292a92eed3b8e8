import * as pulumi from "@pulumi/pulumi";

/**
 * `name` as an output that waits for `resources`. Unlike their `metadata.name` it is known in the very first preview, when
 * there is no API server to ask yet: so that preview shows real names, and policies can check what belongs together.
 */
export function knownName(name: string, ...resources: pulumi.Resource[]): pulumi.Output<string> {
  // A resource's URN is known as soon as the engine has dealt with it, in a preview too.
  return pulumi.all(resources.map((resource) => resource.urn)).apply(() => name);
}
