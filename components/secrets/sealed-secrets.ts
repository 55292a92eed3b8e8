import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import {
  Foundation,
  HardenedDeployment,
  knownName,
  planOpenPorts,
  PlatformNamespace,
  ResourceNeeds,
} from "../workload";
import { readSealed, SealedObject } from "./sealed-files";

export interface SealedSecretsArgs {
  foundation: Foundation;
  /** Namespaces in which it makes Secrets: it sees and touches nothing in any other. */
  serves: PlatformNamespace[];
  /** Days after which it makes a new sealing key; the old ones stay, for what they sealed. @default 30 */
  renewalDays?: number;
  /** A key that is older than this (ISO 8601) is followed by a new one at once, for when it may be in wrong hands. @default none */
  renewBefore?: string;
  /** Folder with YAML files of SealedSecrets that the graph applies. @default none */
  files?: string;
  /** @default 20m CPU and 48Mi requested, half a core and 128Mi at most */
  resources?: ResourceNeeds;
}

/** The controller's namespace, and the name of its Deployment and Service: `npm run seal` finds it by these. */
export const sealedSecretsName = "sealed-secrets";
/** Port on which it gives its certificate away: the public half of the sealing key. */
const certificatePort = 8080;

type Rule = k8s.types.input.rbac.v1.PolicyRule;

/**
 * Upstream's "sealed-secrets-key-admin", and what it asks of a namespace that it watches, which its own always is. It may not
 * change or delete a key here: none is ever lost by its doing.
 */
export const ownRules: Rule[] = [
  { apiGroups: [""], resources: ["secrets"], verbs: ["get", "list", "watch", "create"] },
  { apiGroups: ["bitnami.com"], resources: ["sealedsecrets"], verbs: ["get", "list", "watch"] },
];

/** Upstream's "secrets-unsealer" for one namespace. Deletion is left to Kubernetes, by owner references. */
export const servedRules: Rule[] = [
  { apiGroups: ["bitnami.com"], resources: ["sealedsecrets"], verbs: ["get", "list", "watch"] },
  { apiGroups: ["bitnami.com"], resources: ["sealedsecrets/status"], verbs: ["update"] },
  { apiGroups: [""], resources: ["secrets"], verbs: ["get", "list", "watch", "create", "update"] },
  { apiGroups: [""], resources: ["events"], verbs: ["create", "patch"] },
  // It looks whether the namespace is there; a namespace counts as being in itself.
  { apiGroups: [""], resources: ["namespaces"], verbs: ["get"] },
];

const defaultResources: ResourceNeeds = {
  requests: { cpu: "20m", memory: "48Mi", "ephemeral-storage": "8Mi" },
  // Room for the making of a 4096 bit RSA key.
  limits: { cpu: "500m", memory: "128Mi", "ephemeral-storage": "32Mi" },
};

/** A time as the controller's option wants it: RFC 1123 with a numeric zone. */
const rfc1123 = (iso: string): string => new Date(iso).toUTCString().replace("GMT", "+0000");

/**
 * The Sealed Secrets controller: decrypts SealedSecrets of the served namespaces into Secrets of the same name. Its keys are
 * Secrets of its own namespace; without them nothing that was sealed can be read again (docs/runbooks/sealed-secrets.md).
 */
export class SealedSecrets extends pulumi.ComponentResource {
  readonly namespace: PlatformNamespace;
  /** Known once the controller answers. */
  readonly ready: pulumi.Output<string>;
  /** Names of the Secrets made of `files`, by `namespace/name`; each known once the controller has made it. */
  readonly secrets: Record<string, pulumi.Output<string>>;

  constructor(name: string, args: SealedSecretsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:secrets:SealedSecrets", name, {}, opts);
    const { artifacts, apiServerSources, installCrds } = args.foundation;
    this.namespace = new PlatformNamespace(
      sealedSecretsName,
      {
        foundation: args.foundation,
        tier: "platform",
        quota: { pods: 3, requests: { cpu: "250m", memory: "256Mi" }, limits: { cpu: "2", memory: "512Mi" } },
      },
      { parent: this },
    );
    const definitions = installCrds(`${name}-crds`, artifacts.manifest("sealed-secrets"), { parent: this });
    const controller = new HardenedDeployment(
      sealedSecretsName,
      {
        namespace: this.namespace,
        container: {
          image: artifacts.image("sealed-secrets"),
          command: ["/usr/local/bin/controller"],
          args: [
            `--key-renew-period=${(args.renewalDays ?? 30) * 24}h`,
            ...(args.renewBefore === undefined ? [] : [`--key-cutoff-time=${rfc1123(args.renewBefore)}`]),
            "--all-namespaces=false",
            `--additional-namespaces=${args.serves.map(({ label }) => label).join(",")}`,
            "--log-format=json",
          ],
          ports: { http: certificatePort },
          resources: args.resources ?? defaultResources,
          probes: {
            startup: { http: { path: "/healthz", port: certificatePort } },
            liveness: { http: { path: "/healthz", port: certificatePort } },
            readiness: { http: { path: "/healthz", port: certificatePort } },
          },
        },
        access: { rules: ownRules, elsewhere: args.serves.map((namespace) => ({ namespace, rules: servedRules })) },
        restartOn: { definitions },
      },
      { parent: this },
    );
    // `npm run seal` asks for the certificate through the API server.
    new k8s.networking.v1.NetworkPolicy(
      `${name}-from-api-server`,
      planOpenPorts("certificate-from-api-server", controller.client, [certificatePort], apiServerSources),
      { parent: this, deletedWith: this.namespace.resource },
    );
    this.ready = controller.ready;
    const objects =
      args.files === undefined
        ? []
        : readSealed(
            args.files,
            args.serves.map(({ label }) => label),
          );
    this.secrets = Object.fromEntries(
      objects.map((object) => [
        `${object.metadata.namespace}/${object.metadata.name}`,
        this.unsealed(name, object, args.serves),
      ]),
    );
    this.registerOutputs({ ready: this.ready });
  }

  /** Applies one sealed object, and waits until the controller has made its Secret. */
  private unsealed(name: string, object: SealedObject, serves: PlatformNamespace[]): pulumi.Output<string> {
    const { namespace: label, name: secret, annotations } = object.metadata;
    const namespace = serves.find((served) => served.label === label)!;
    const made = new k8s.apiextensions.CustomResource(
      `${name}-${label}-${secret}`,
      {
        ...object,
        metadata: {
          ...object.metadata,
          namespace: namespace.name,
          annotations: {
            ...annotations,
            "groundwork/controller": this.ready,
            "pulumi.com/waitFor": "condition=Synced",
            // It takes a second; a minute says that no key opens it.
            "pulumi.com/timeoutSeconds": "60",
          },
        },
      },
      { parent: this, deletedWith: namespace.resource },
    );
    return knownName(secret, made);
  }
}
