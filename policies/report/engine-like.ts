import * as policy from "@pulumi/policy";
import type { PolicyResource, ResourceValidationArgs, ResourceValidationPolicy } from "@pulumi/policy";
import { toPolicies } from "../pack";
import type { Exemption } from "../exemptions";
import type { Rule } from "../rule";

// Exported by the package at run time; its declaration file leaves internal names out.
const { unknownCheckingProxy } = policy as unknown as { unknownCheckingProxy: <T>(value: T) => T };

/** What the engine sends in place of a string that is not known yet; see proxy.ts of @pulumi/policy. */
export const unknownString = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** A resource as a test describes it. `props` may hold `policy.Secret` and `unknownString`. */
export interface TestResource {
  type: string;
  name: string;
  props: Record<string, any>;
  /** Default: made from type and name. */
  urn?: string;
  /** URN of the provider. Default: an explicit one for Kubernetes resources. */
  provider?: string | null;
  /** @default false */
  protect?: boolean;
}

/** What a policy reported. */
export interface Violation {
  rule: string;
  message: string;
  urn?: string;
}

const prefix = "urn:pulumi:test::groundwork::";
const explicitProvider = `${prefix}pulumi:providers:kubernetes::cluster`;
const options = {
  protect: false,
  ignoreChanges: [],
  aliases: [],
  customTimeouts: { createSeconds: 0, updateSeconds: 0, deleteSeconds: 0 },
  additionalSecretOutputs: [],
};

/** Thrown by `notApplicable`, which the engine takes as "nothing to say". */
class NotApplicable extends Error {}
const notApplicable = (): never => {
  throw new NotApplicable();
};
const skipNotApplicable = (error: unknown): void => {
  if (!(error instanceof NotApplicable)) throw error;
};

/** What the pack is run with; default: the pack's own rules are passed by the caller. */
export interface RunOptions {
  rules: readonly Rule[];
  exemptions?: readonly Exemption[];
  now?: Date;
  /** Configuration per rule, as `--policy-pack-config` gives it. */
  config?: Readonly<Record<string, string | Record<string, unknown>>>;
  /** Levels by rule; `remediate` has the rule change the resources that it was given. @default mandatory */
  levels?: Record<string, string | undefined>;
  /** Run the rules for single resources on this one only. Default: on all. */
  only?: TestResource;
}

/** Runs a pack over resources in the engine's order: remediations and validations of each resource, then the stack. */
export async function runPack(resources: readonly TestResource[], run: RunOptions): Promise<Violation[]> {
  const { rules, exemptions = [], now, config = {}, levels = {}, only } = run;
  const policies = toPolicies({ rules, exemptions, ...(now && { now: () => now }) });
  const found: Violation[] = [];
  for (const resource of only ? [only] : resources) {
    for (const one of policies) {
      const { remediateResource } = one as ResourceValidationPolicy;
      if (!remediateResource || (levels[one.name] ?? one.enforcementLevel) !== "remediate") continue;
      const args = withSecrets(toArgs(resource, valuesOf(config[one.name])), resource);
      await Promise.resolve(remediateResource(args)).catch(skipNotApplicable);
    }
    for (const one of policies) {
      const args = toArgs(resource, valuesOf(config[one.name]));
      const { validateResource } = one as ResourceValidationPolicy;
      const report = (message: string) => found.push({ rule: one.name, message, urn: args.urn });
      for (const validate of validateResource ? [validateResource].flat() : []) {
        await Promise.resolve(validate(args, report)).catch(skipNotApplicable);
      }
    }
  }
  const all = resources.map(toPolicyResource);
  for (const one of policies) {
    if (!("validateStack" in one)) continue;
    const report = (message: string, urn?: string) => found.push({ rule: one.name, message, urn });
    const args = {
      resources: all,
      stackTags: new Map(),
      getConfig: <T>() => valuesOf(config[one.name]) as T,
      notApplicable,
    };
    await Promise.resolve(one.validateStack(args, report)).catch(skipNotApplicable);
  }
  return found;
}

/** A rule's values; a configuration may be its level alone. */
const valuesOf = (config: string | Record<string, unknown> | undefined): Record<string, unknown> =>
  typeof config === "object" ? config : {};

const urnOf = (resource: TestResource) => resource.urn ?? `${prefix}${resource.type}::${resource.name}`;

function providerOf(resource: TestResource): { urn: string } | undefined {
  const kubernetes = resource.type.startsWith("kubernetes:") ? explicitProvider : undefined;
  const urn = resource.provider === undefined ? kubernetes : (resource.provider ?? undefined);
  return urn === undefined ? undefined : { urn };
}

function toArgs(resource: TestResource, config: object): ResourceValidationArgs {
  const provider = providerOf(resource);
  return {
    type: resource.type,
    name: resource.name,
    urn: urnOf(resource),
    props: unknownCheckingProxy(revealed(resource.props) as Record<string, unknown>),
    opts: { ...options, protect: resource.protect ?? false },
    stackTags: new Map(),
    ...(provider && { provider: { ...provider, type: "", name: "", props: {} } }),
    isType: () => false,
    asType: () => undefined,
    getConfig: <T>() => config as T,
    notApplicable,
  };
}

const withSecrets = (args: ResourceValidationArgs, resource: TestResource): ResourceValidationArgs => ({
  ...args,
  props: unknownCheckingProxy(resource.props),
});

function toPolicyResource(resource: TestResource): PolicyResource {
  const { type, name, urn, props, opts, provider } = toArgs(resource, {});
  return {
    type,
    name,
    urn,
    props,
    opts,
    provider,
    isType: () => false,
    dependencies: [],
    propertyDependencies: {},
    asType: () => undefined,
  };
}

/** Validations see secrets as plain values. */
function revealed(value: unknown): unknown {
  if (value instanceof policy.Secret) return revealed(value.value);
  if (Array.isArray(value)) return value.map(revealed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, revealed(child)]));
}
