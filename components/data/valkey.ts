import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import * as random from "@pulumi/random";
import { issueCertificate, type Issuer } from "../pki";
import {
  Bytes,
  Endpoint,
  HardenedDeployment,
  hostOf,
  knownName,
  PlatformNamespace,
  Probes,
  ResourceNeeds,
} from "../workload";
import { beatScript, paths, planServerConfig, planUsers, port, probeScript, reloadScript } from "./valkey-files";

export interface ValkeyArgs {
  namespace: PlatformNamespace;
  /** Signs the server's certificate; its CA is also the one that clients' certificates are checked against. */
  issuer: Issuer;
  /** Signs the client certificate of the pod's own probes. @default issuer */
  clients?: Issuer;
  /** Of the container; 60 % of it are for values. @default "64Mi" */
  memory?: Bytes;
  /** CPU and ephemeral storage of the server; its memory is `memory`. @default 20m requested, 1 core at most */
  resources?: Pick<ResourceNeeds["requests"], "cpu" | "ephemeral-storage">;
}

/** User that clients log in as. */
const client = "app";
/** Keys of the login, each a file where it is mounted. */
const loginKeys = ["host", "port", "username", "password"];
/** The user that runs Valkey; the image's own user is not relied on. */
const identity = { uid: 10379, gid: 10379 };

/**
 * A cache: Valkey that speaks TLS with clients that have a certificate and a password, and with nobody else. It keeps
 * nothing: a restart empties it, and whoever uses it must be able to do without. One pod, since two would disagree.
 */
export class Valkey extends pulumi.ComponentResource {
  /** Known once it answers. Mounted as files host, port, username and password, and the authority as ca.crt. */
  readonly endpoint: Endpoint;

  constructor(name: string, args: ValkeyArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:data:Valkey", name, {}, opts);
    const { namespace, issuer } = args;
    const memory = args.memory ?? "64Mi";
    const inNamespace = { parent: this, deletedWith: namespace.resource };
    const host = hostOf({ service: name, namespace });

    const server = issueCertificate(
      `${name}-server`,
      { issuer, namespace, dnsNames: [host, `${host}.cluster.local`], usages: ["server auth"] },
      inNamespace,
    );
    const probe = issueCertificate(
      `${name}-probe`,
      { issuer: args.clients ?? issuer, namespace, dnsNames: [], commonName: `${name}-probe`, usages: ["client auth"] },
      inNamespace,
    );
    const passwords = {
      client: this.password(`${name}-password`),
      reloader: this.password(`${name}-reloader-password`),
    };
    const login = pulumi.secret({ host, port: String(port), username: client, password: passwords.client });
    const users = pulumi.secret(
      pulumi
        .all([passwords.client, passwords.reloader])
        .apply(([plain, reloader]) => planUsers(client, { client: sha256(plain), reloader: sha256(reloader) })),
    );
    const secret = (part: string, stringData: pulumi.Input<Record<string, pulumi.Input<string>>>) => {
      const metadata = { name: `${name}-${part}`, namespace: namespace.name };
      return knownName(metadata.name, new k8s.core.v1.Secret(metadata.name, { metadata, stringData }, inNamespace));
    };
    const loginName = secret("login", login);
    const usersName = secret("users", { "users.acl": users });
    const reloaderName = secret("reloader", { password: passwords.reloader });

    const image = namespace.foundation.artifacts.image("valkey");
    const deployment = new HardenedDeployment(
      name,
      {
        namespace,
        identity,
        tier: "data",
        gracePeriod: 5,
        config: {
          path: paths.config,
          files: {
            "valkey.conf": planServerConfig(memory),
            "probe.sh": probeScript,
            "reload.sh": reloadScript,
            "beat.sh": beatScript,
          },
        },
        // Certificates are followed by the reloader; what is read at the start only replaces the pod.
        restartOn: { users: pulumi.unsecret(users.apply(sha256)) },
        files: [
          { path: paths.tls, from: { secret: server.secret }, keys: ["tls.crt", "tls.key", "ca.crt"] },
          { path: paths.probe, from: { secret: probe.secret }, keys: ["tls.crt", "tls.key"] },
        ],
        container: {
          image,
          command: ["/usr/local/bin/valkey-server", `${paths.config}/valkey.conf`],
          ports: { valkey: port },
          files: [{ path: paths.users, from: { secret: usersName }, keys: ["users.acl"] }],
          resources: planResources(memory, args.resources),
          probes: everyFew(`${paths.config}/probe.sh`, { startup: true }),
        },
        sidecars: {
          reloader: {
            image,
            command: ["/bin/sh", `${paths.config}/reload.sh`],
            files: [{ path: paths.reloader, from: { secret: reloaderName }, keys: ["password"] }],
            writable: [{ path: paths.beat, size: "1Mi" }],
            resources: {
              requests: { cpu: "5m", memory: "16Mi", "ephemeral-storage": "8Mi" },
              limits: { cpu: "200m", memory: "32Mi", "ephemeral-storage": "16Mi" },
            },
            probes: everyFew(`${paths.config}/beat.sh`, { startup: true }),
          },
        },
        // Two at once would hold different values for the same keys.
        transform: { deployment: (plan) => ({ ...plan, spec: recreated(plan.spec) }) },
      },
      { parent: this },
    );
    this.endpoint = {
      ...deployment.endpoint("valkey"),
      credential: { secret: loginName, keys: loginKeys, values: login },
      authority: { from: { secret: server.secret }, key: "ca.crt", pem: issuer.ca },
    };
    this.registerOutputs({});
  }

  private password(name: string): pulumi.Output<string> {
    return pulumi.secret(new random.RandomPassword(name, { length: 32, special: false }, { parent: this }).result);
  }
}

/** The kit gives plain values here. */
const recreated = (spec: k8s.apps.v1.DeploymentArgs["spec"]) => ({
  ...(spec as k8s.types.input.apps.v1.DeploymentSpec),
  strategy: { type: "Recreate" },
});

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

function planResources(memory: Bytes, given: ValkeyArgs["resources"]): ResourceNeeds {
  const asked = given ?? { cpu: "20m", "ephemeral-storage": "8Mi" };
  return {
    requests: { ...asked, memory },
    limits: { cpu: "1", memory, "ephemeral-storage": "32Mi" },
  };
}

/** The same script for every question: a TLS handshake each time, so not too often. */
function everyFew(script: string, { startup }: { startup: boolean }): Probes {
  const exec = { command: ["/bin/sh", script] };
  return {
    liveness: { exec, period: 20, timeout: 5 },
    readiness: { exec, period: 10, timeout: 5 },
    ...(startup && { startup: { exec, period: 1, timeout: 5 } }),
  };
}
