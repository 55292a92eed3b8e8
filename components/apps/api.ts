import * as pulumi from "@pulumi/pulumi";
import { issueCertificate, type Issuer } from "../pki";
import {
  Endpoint,
  HardenedDeployment,
  mountedAs,
  mountRoot,
  PlatformNamespace,
  ResourceNeeds,
  VaultAccess,
  vaultSecrets,
} from "../workload";

/** What Vault gives the API: leased users of the database, and a certificate that it shows as a client. */
export interface ApiVault extends Omit<VaultAccess, "files"> {
  /** Role of the database engine whose users the API logs in as: `database/creds/<role>`. */
  databaseRole: string;
  /** Role of the PKI that signs the client certificate, with the mount: `pki/issue/client`. @default "pki/issue/client" */
  certificate?: string;
  /** Lifetime of the client certificate; the agent renews it at nine tenths. @default "24h" */
  certificateTtl?: string;
}

export interface ApiArgs {
  namespace: PlatformNamespace;
  /** The PostgreSQL database that the API keeps its rows in. */
  database: Endpoint;
  /** A Valkey that reads are cached in; the API does without where it is away. @default every read goes to the database */
  cache?: Endpoint;
  /** Logins with a lease and a client certificate. @default the password of the database's owner, and no certificate */
  vault?: ApiVault;
  /**
   * Signs the certificate that the API shows as a client, where Vault gives none: cert-manager renews it.
   * @default none is shown
   */
  clients?: Issuer;
  /** @default 1 */
  replicas?: number;
  /** @default 50m/96Mi requested, 1 core/192Mi at most */
  resources?: ResourceNeeds;
  /** @default "info" */
  logLevel?: "debug" | "info" | "warn" | "error";
}

const port = 3000;
/** Port for probes and scrapers, which no route of the edge leads to. */
const operationsPort = 9464;
/** Folder of the client certificate that does not come from Vault. */
const clientFolder = `${mountRoot}/client-tls`;

/** The files that Vault Agent writes: a login in one document, a certificate with its key in one file, so never half of either. */
const agentFiles = { login: "db.json", certificate: "client.pem" };

/** The least that Node is quick enough with: 16 MiB less at rest than without. */
const nodeFlags = ["--max-old-space-size=64", "--max-semi-space-size=1", "--v8-pool-size=1"];

const defaultResources: ResourceNeeds = {
  requests: { cpu: "50m", memory: "96Mi", "ephemeral-storage": "16Mi" },
  limits: { cpu: "1", memory: "192Mi", "ephemeral-storage": "64Mi" },
};

/** The platform's example service: items in PostgreSQL behind HTTP. It brings its tables up to date when it starts. */
export class Api extends pulumi.ComponentResource {
  /** HTTP: the items, /healthz, /readyz and the OpenAPI document. Known once all replicas serve. */
  readonly endpoint: Endpoint;

  constructor(name: string, args: ApiArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:apps:Api", name, {}, opts);
    const { cache, vault } = args;
    const client = vault || !args.clients ? undefined : this.certify(name, args.namespace, args.clients);
    const deployment = new HardenedDeployment(
      name,
      {
        namespace: args.namespace,
        replicas: args.replicas,
        uses: [
          mountedAs(vault ? withoutLogin(args.database) : args.database, "db"),
          ...(cache ? [mountedAs(cache, "cache")] : []),
        ],
        vault: vault && { ...vault, files: planFiles(name, vault) },
        files: client && [{ path: clientFolder, from: { secret: client }, keys: ["tls.crt", "tls.key"] }],
        // The user of the image's own.
        identity: { uid: 10001, gid: 10001 },
        container: {
          image: args.namespace.foundation.artifacts.image("api"),
          command: ["/usr/bin/node", ...nodeFlags, "/app/server.cjs"],
          env: {
            NODE_ENV: "production",
            PORT: String(port),
            OPERATIONS_PORT: String(operationsPort),
            LOG_LEVEL: args.logLevel ?? "info",
            DB_DIR: `${mountRoot}/db`,
            DB_CA: `${mountRoot}/db-ca/ca.crt`,
            ...(vault && {
              DB_LOGIN: `${vaultSecrets}/${agentFiles.login}`,
              CLIENT_CERT: `${vaultSecrets}/${agentFiles.certificate}`,
            }),
            ...(client && { CLIENT_CERT: `${clientFolder}/tls.crt`, CLIENT_KEY: `${clientFolder}/tls.key` }),
            ...(cache && { CACHE_DIR: `${mountRoot}/cache`, CACHE_CA: `${mountRoot}/cache-ca/ca.crt` }),
          },
          // The second port is for the kubelet and for whoever scrapes pods: no Service names it.
          ports: { http: port, ops: operationsPort },
          resources: args.resources ?? defaultResources,
          probes: {
            startup: { http: { path: "/healthz", port: operationsPort } },
            liveness: { http: { path: "/healthz", port: operationsPort } },
            readiness: { http: { path: "/readyz", port: operationsPort } },
          },
        },
        service: { ports: { http: port } },
      },
      { parent: this },
    );
    this.endpoint = deployment.endpoint("http");
    this.registerOutputs({});
  }

  /** The Secret with the API's client certificate. */
  private certify(name: string, namespace: PlatformNamespace, issuer: Issuer): pulumi.Output<string> {
    const opts = { parent: this, deletedWith: namespace.resource };
    const wanted = { issuer, namespace, dnsNames: [], commonName: name, usages: ["client auth" as const] };
    return issueCertificate(`${name}-client`, wanted, opts).secret;
  }
}

/** The owner's password stays out of pods that have logins of their own. */
function withoutLogin(database: Endpoint): Endpoint {
  const { credential } = database;
  const keys = credential?.keys.filter((key) => key !== "username" && key !== "password");
  return { ...database, credential: credential && keys && { ...credential, keys } };
}

/** What Vault Agent renders; in consul-template's language. */
function planFiles(name: string, vault: ApiVault): VaultAccess["files"] {
  const certificate = vault.certificate ?? "pki/issue/client";
  const ttl = vault.certificateTtl ?? "24h";
  return {
    [agentFiles.login]: {
      template:
        `{{ with secret "database/creds/${vault.databaseRole}" }}` +
        `{"username":{{ .Data.username | toJSON }},"password":{{ .Data.password | toJSON }}}{{ end }}`,
    },
    // pkiCert finds the certificate in the file that is there and asks for a new one only when that nears its end.
    [agentFiles.certificate]: {
      template:
        `{{ with pkiCert "${certificate}" "common_name=${name}" "ttl=${ttl}" }}` +
        `{{ .Cert }}{{ range .CAChain }}{{ . }}{{ end }}{{ .Key }}{{ end }}`,
    },
  };
}
