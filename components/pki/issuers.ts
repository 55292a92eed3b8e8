import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { Endpoint, knownName } from "../workload";
import { AcmeSolver, acmeServers, challengePods, planSolver } from "./acme";
import { CertManager } from "./cert-manager";
import { Issuer } from "./issuer";
import { LocalCa } from "./local-ca";

/**
 * The account in cert-manager's namespace by which Vault knows an issuer, and the name of that issuer's policy and role in
 * Vault; the account can do nothing else.
 */
export const vaultIssuerAccount = (issuer: string): string => `${issuer}-issuer`;

export interface LocalIssuerArgs {
  certManager: CertManager;
  ca: LocalCa;
}

/**
 * Certificates of the stack's own authority. The root's key stays in the state: an intermediate of two years signs in the
 * cluster, and a run of the graph in its last year renews it.
 */
export function localIssuer(name: string, args: LocalIssuerArgs, opts: pulumi.CustomResourceOptions = {}): Issuer {
  const { certManager, ca } = args;
  const signer = ca.issueIntermediate(`${name}-issuer`);
  const secretName = `${name}-issuer`;
  const secret = new k8s.core.v1.Secret(
    secretName,
    {
      metadata: { name: secretName, namespace: certManager.namespace.name },
      type: "kubernetes.io/tls",
      stringData: { "tls.crt": signer.certificate, "tls.key": signer.privateKey },
    },
    { parent: certManager, ...opts, deletedWith: certManager.namespace.resource },
  );
  const spec = { ca: { secretName: knownName(secretName, secret) } };
  return { ...clusterIssuer(name, certManager, spec, [], opts), ca: ca.pem };
}

export interface VaultIssuerArgs {
  certManager: CertManager;
  /** The Vault, as `endpoint` says how to reach it; its authority's PEM has to be known to the graph. */
  vault: { endpoint: Endpoint };
  /** Role of the PKI mount that signs. */
  role: string;
  /** Mount of the PKI. @default "pki" */
  mount?: string;
  /** Known once Vault has both roles. @default the endpoint's readiness */
  access?: pulumi.Input<string>;
  /** Root of the PKI, PEM, where the graph knows it. */
  ca?: pulumi.Output<string>;
}

/** What Vault has to have for `vaultIssuer`: a policy, and a role of its Kubernetes auth. */
export function vaultIssuerAccess(issuer: string, role: string, mount = "pki") {
  const account = vaultIssuerAccount(issuer);
  return {
    policies: { [account]: `path "${mount}/sign/${role}" { capabilities = ["create", "update"] }\n` },
    kubernetesRoles: {
      [account]: {
        serviceAccounts: [account],
        namespaces: ["cert-manager"],
        policies: [account],
        ttl: "10m",
        audience: `vault://${issuer}`,
      },
    },
  };
}

/** Certificates of Vault's PKI. cert-manager logs in with a token that it asks the API server for, ten minutes at a time. */
export function vaultIssuer(name: string, args: VaultIssuerArgs, opts: pulumi.CustomResourceOptions = {}): Issuer {
  const { certManager, vault } = args;
  const place = { parent: certManager, ...opts, deletedWith: certManager.namespace.resource };
  const accountName = vaultIssuerAccount(name);
  const account = new k8s.core.v1.ServiceAccount(
    accountName,
    {
      metadata: { name: accountName, namespace: certManager.namespace.name },
      automountServiceAccountToken: false,
    },
    place,
  );
  const grants = certManager.mayAskTokensOf(accountName, place);
  const policies = certManager.reach(vault.endpoint);
  const authority = vault.endpoint.authority?.pem;
  if (!authority) throw new Error(`the issuer ${name} needs the certificate authority of ${vault.endpoint.name}`);
  const spec = {
    vault: {
      server: `https://${vault.endpoint.service}.${vault.endpoint.namespace.label}.svc:${vault.endpoint.port}`,
      path: `${args.mount ?? "pki"}/sign/${args.role}`,
      caBundle: authority.apply(base64),
      auth: {
        kubernetes: {
          mountPath: "/v1/auth/kubernetes",
          role: accountName,
          serviceAccountRef: { name: knownName(accountName, account) },
        },
      },
    },
  };
  const ready = { "groundwork/vault": args.access ?? vault.endpoint.ready };
  return { ...clusterIssuer(name, certManager, spec, [...grants, ...policies], opts, ready), ca: args.ca };
}

export interface AcmeIssuerArgs {
  certManager: CertManager;
  /** Let's Encrypt writes there before a certificate ends that was not renewed. */
  email: string;
  solver: AcmeSolver;
  /** Directory of the ACME server. @default Let's Encrypt's, of that name */
  server?: pulumi.Input<string>;
  /** Authority of the ACME server's own certificate, PEM. @default the public ones */
  caBundle?: pulumi.Input<string>;
}

/**
 * Certificates of Let's Encrypt, or of another server that speaks ACME. The account's key is made and kept by cert-manager.
 *
 * @throws where no server is given and the name is none of Let's Encrypt's
 */
export function acmeIssuer(name: string, args: AcmeIssuerArgs, opts: pulumi.CustomResourceOptions = {}): Issuer {
  const { certManager } = args;
  const server = args.server ?? acmeServers[name as keyof typeof acmeServers];
  if (!server)
    throw new Error(`the issuer ${name} needs a server: only ${Object.keys(acmeServers).join(", ")} are known`);
  const solves = "http01" in args.solver;
  const spec = {
    acme: {
      email: args.email,
      server,
      ...(args.caBundle !== undefined && { caBundle: pulumi.output(args.caBundle).apply(base64) }),
      privateKeySecretRef: { name: `${name}-account` },
      solvers: [planSolver(args.solver, certManager.namespace.foundation.priorityClass.platform)],
    },
  };
  const issuer = clusterIssuer(name, certManager, spec, [], opts);
  if (!solves) return issuer;
  return {
    ...issuer,
    challenges: { ...challengePods, asker: certManager.client },
    serve: (namespace) => certManager.serve(namespace, true),
  };
}

const base64 = (pem: string): string => Buffer.from(pem).toString("base64");

function clusterIssuer(
  name: string,
  certManager: CertManager,
  spec: Record<string, unknown>,
  after: pulumi.Resource[],
  opts: pulumi.CustomResourceOptions,
  annotations: Record<string, pulumi.Input<string>> = {},
): Issuer {
  const resource = new k8s.apiextensions.CustomResource(
    `${name}-cluster-issuer`,
    {
      apiVersion: "cert-manager.io/v1",
      kind: "ClusterIssuer",
      metadata: {
        name,
        annotations: {
          "groundwork/cert-manager": certManager.ready,
          ...annotations,
          "pulumi.com/waitFor": "condition=Ready",
        },
      },
      spec,
    },
    { parent: certManager, customTimeouts: { create: "3m", update: "3m" }, ...opts, dependsOn: after },
  );
  return {
    kind: "ClusterIssuer",
    name: knownName(name, resource),
    serve: (namespace) => certManager.serve(namespace),
  };
}
