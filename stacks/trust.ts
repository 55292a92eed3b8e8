import * as fs from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { acmeIssuer, type AcmeSolver, CertManager, Issuer, LocalCa, localIssuer } from "../components/pki";
import { vaultIssuer, vaultIssuerAccess } from "../components/pki";
import { type KubernetesRole, Vault, VaultConfiguration, VaultInjector } from "../components/secrets";
import type { Foundation } from "../components/workload";
import type { ComponentReport } from "./report";
import type { Settings } from "./settings";

export interface TrustArgs {
  foundation: Foundation;
  settings: Settings;
  /** The stack's own authority: it signs what has to be there before Vault is. */
  ca: LocalCa;
}

/** The role of Vault's PKI that signs names of the stack's domain. */
const edgeRole = "edge";

/** Issuers of Vault's intermediate. */
interface FromVault {
  servers: Issuer;
  clients: Issuer;
  /** Where the edge shows a certificate of Vault's. */
  edge?: Issuer;
}

/** What hands secrets to pods. */
export interface Secrets {
  vault: Vault;
  injector: VaultInjector;
}

/** Everything that certificates and secrets come from: cert-manager, Vault on top of it, and the issuers of both. */
export class Trust extends pulumi.ComponentResource {
  /** Signs servers inside the cluster: Vault's intermediate, or the stack's own authority where there is no Vault. */
  readonly servers: Issuer;
  /** Signs what clients show. */
  readonly clients: Issuer;
  /** Signs what the edge shows. */
  readonly edge: Issuer;
  /** Undefined where the stack has no Vault. */
  readonly secrets?: Secrets;

  constructor(name: string, args: TrustArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:stacks:Trust", name, {}, opts);
    const { foundation, settings, ca } = args;
    const here = { parent: this };
    const { acme } = settings.certificates;

    const certManager = new CertManager(
      "cert-manager",
      { foundation, ...(acme && { acme: { by: acme.dns01 ? "dns01" : "http01", nameservers: acme.nameservers } }) },
      here,
    );
    const local = localIssuer("local", { certManager, ca }, here);
    const vault = settings.vault.enabled
      ? new Vault("vault", { foundation, issuer: local, ...settings.vault, protect: settings.protect }, here)
      : undefined;
    const fromVault = vault && this.issueFromVault(certManager, vault, settings);
    this.secrets = vault && {
      vault,
      injector: new VaultInjector("vault-injector", { foundation, vault, issuer: local }, here),
    };

    this.servers = fromVault?.servers ?? local;
    this.clients = fromVault?.clients ?? local;
    this.edge = this.edgeIssuer(settings, certManager, { local, vault: fromVault?.edge });
    this.registerOutputs({});
  }

  /** One issuer for each role of Vault's PKI: a role signs servers inside the cluster, or clients, or the edge. */
  private issueFromVault(certManager: CertManager, vault: Vault, { certificates, domain }: Settings): FromVault {
    const edge = certificates.issuer === "vault";
    const roles = { vault: "server", "vault-clients": "client", ...(edge && { "vault-edge": edgeRole }) };
    const grants = Object.entries(roles).map(([issuer, role]) => vaultIssuerAccess(issuer, role));
    const access = new VaultConfiguration(
      "issuer-access",
      {
        vault,
        document: {
          policies: Object.assign({}, ...grants.map(({ policies }) => policies)) as Record<string, string>,
          kubernetesRoles: Object.assign({}, ...grants.map(({ kubernetesRoles }) => kubernetesRoles)) as Record<
            string,
            KubernetesRole
          >,
          ...(edge && {
            pkiRoles: {
              [edgeRole]: { allowedDomains: [domain], bareDomains: true, server: true, ttl: "720h", maxTtl: "2160h" },
            },
          }),
        },
      },
      { parent: this },
    ).ready;
    const issuer = (name: string, role: string) =>
      vaultIssuer(name, { certManager, vault, access, ca: vault.root, role }, { parent: this });
    return {
      servers: issuer("vault", "server"),
      clients: issuer("vault-clients", "client"),
      ...(edge && { edge: issuer("vault-edge", edgeRole) }),
    };
  }

  private edgeIssuer(
    { certificates }: Settings,
    certManager: CertManager,
    { local, vault }: { local: Issuer; vault?: Issuer },
  ): Issuer {
    const { issuer, acme } = certificates;
    if (issuer === "local") return local;
    if (issuer === "vault") return vault ?? local; // settings with no Vault for it are refused before
    const { email, server, caFile, dns01 } = acme!;
    return acmeIssuer(
      issuer,
      {
        certManager,
        email,
        ...(server && { server }),
        ...(caFile && { caBundle: fs.readFileSync(caFile, "utf8") }),
        solver: planSolver(dns01),
      },
      { parent: this },
    );
  }

  /** How each of its components is probed. */
  static report({ certificates, vault }: Settings): ComponentReport[] {
    const workload = (name: string, artifacts: string[], resource: "deployments" | "statefulsets", place = name) => ({
      name,
      artifacts,
      probe: { kind: "workload" as const, resource, namespace: place, name },
    });
    return [
      ...(certificates.enabled
        ? [workload("cert-manager", ["cert-manager-controller", "cert-manager-webhook"], "deployments")]
        : []),
      ...(vault.enabled
        ? [
            workload("vault-bootstrap", ["vault", "keeper"], "statefulsets"),
            workload("vault", ["vault", "keeper"], "statefulsets"),
            workload("vault-injector", ["vault-k8s"], "deployments", "vault"),
          ]
        : []),
    ];
  }
}

/** HTTP-01 unless the settings name a way to write DNS records. */
function planSolver(dns01: NonNullable<Settings["certificates"]["acme"]>["dns01"]): AcmeSolver {
  return dns01 ? { dns01 } : { http01: {} };
}
