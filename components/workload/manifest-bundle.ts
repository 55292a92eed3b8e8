import * as fs from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { Artifact } from "../../artifacts/types";
import { keyOf, ManifestObject, phases, planManifest, tokenOf } from "./manifest";
import { PlatformNamespace } from "./namespace";

export interface ManifestBundleArgs {
  /** The upstream's released file. */
  manifest: Artifact;
  /** Takes the place of the manifest's own namespace. */
  namespace: PlatformNamespace;
  /** Changes to single objects, by `Kind/name`; gets a copy, gives what is created. */
  patch?: Record<string, (object: ManifestObject) => ManifestObject>;
  /** Objects left out, by `Kind/name`. */
  skip?: string[];
  /** What the pods wait for, beside the bundle's own objects: policies and the like. */
  podsAfter?: pulumi.Resource[];
}

/** An object of a manifest, as the provider sees it. */
class ManifestResource extends pulumi.CustomResource {
  declare readonly metadata: pulumi.Output<{ name: string; uid: string }>;
}

/**
 * The objects of an upstream manifest as single resources, which policies and diffs can see. Definitions go in first,
 * as one bundle; then permissions, configuration, webhooks, pods, and at last custom resources.
 *
 * @throws where `patch` or `skip` names an object that the manifest does not have (upstream renamed it), or an object
 * is in another namespace than the bundle's
 */
export class ManifestBundle extends pulumi.ComponentResource {
  /** Known once the bundle's pods are ready; stays the same while they are not replaced. */
  readonly ready: pulumi.Output<string>;

  constructor(name: string, args: ManifestBundleArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:workload:ManifestBundle", name, {}, opts);
    const plan = planManifest(fs.readFileSync(args.manifest.path, "utf8"));
    const keys = plan.objects.map(({ object }) => keyOf(object));
    for (const key of [...Object.keys(args.patch ?? {}), ...(args.skip ?? [])]) {
      if (!keys.includes(key)) throw new Error(`the manifest ${args.manifest.name} has no ${key}`);
    }
    const definitions = plan.hasDefinitions
      ? args.namespace.foundation.installCrds(`${name}-crds`, args.manifest, { parent: this })
      : undefined;

    let before: pulumi.Resource[] = [];
    const ready: pulumi.Output<string>[] = [];
    for (const phase of phases) {
      const made = plan.objects
        .filter(({ object }) => !args.skip?.includes(keyOf(object)))
        .filter((planned) => planned.phase === phase)
        .map(({ object, namespaced }) => {
          const patched = args.patch?.[keyOf(object)]?.(structuredClone(object)) ?? object;
          const props = withPlace(patched, namespaced ? args.namespace : undefined);
          const waits = phase === "workloads" || phase === "custom";
          if (waits) annotatePods(props, definitions);
          return new ManifestResource(tokenOf(object), `${name}-${object.metadata.name}`, props, {
            parent: this,
            deletedWith: namespaced ? args.namespace.resource : undefined,
            // What comes later takes no value of what comes earlier, and yet fails without it.
            dependsOn: [...before, ...(waits ? (args.podsAfter ?? []) : [])],
          });
        });
      if (phase === "workloads") ready.push(...made.map(({ metadata }) => metadata.uid));
      // An empty phase must not cut the chain.
      if (made.length > 0) before = made;
    }
    this.ready = pulumi.all(ready).apply((uids) => uids.join(" "));
    this.registerOutputs({ ready: this.ready });
  }
}

/** The object with the bundle's namespace instead of the one that the file names. */
function withPlace(object: ManifestObject, namespace: PlatformNamespace | undefined): Record<string, unknown> {
  const own = object.metadata.namespace;
  if (own && own !== namespace?.label) {
    throw new Error(`${keyOf(object)} is in namespace ${own}, and not in ${namespace?.label ?? "none"}`);
  }
  const place = namespace ? { namespace: namespace.name } : {};
  const secret = object.kind === "Secret" ? { data: pulumi.secret(object["data"]) } : {};
  return { ...object, ...secret, metadata: { ...object.metadata, ...place } };
}

/** The part of objects, and of the pod templates in them, that is annotated. */
interface Annotated {
  metadata?: { annotations?: Record<string, pulumi.Input<string>> };
}

/** Puts the definitions' readiness into pods: their programs look for the definitions when they start. */
function annotatePods(props: Record<string, unknown>, definitions: pulumi.Input<string> | undefined): void {
  if (definitions === undefined) return;
  const annotated = <T extends Annotated>(object: T): T => ({
    ...object,
    metadata: {
      ...object.metadata,
      annotations: { ...object.metadata?.annotations, "groundwork/definitions": definitions },
    },
  });
  const spec = props["spec"] as { template?: Annotated } | undefined;
  if (spec?.template) props["spec"] = { ...spec, template: annotated(spec.template) };
  else Object.assign(props, annotated(props as Annotated));
}
