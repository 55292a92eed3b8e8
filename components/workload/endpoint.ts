import * as pulumi from "@pulumi/pulumi";
import { NamespaceRef } from "./types";

/** What answers at an endpoint, as network policies see it: after address translation, so pod ports and real addresses. */
export type Backend =
  | { pods: Record<string, string>; port: number }
  /** CIDRs outside the pod network, for instance the API server's machines. */
  | { addresses: pulumi.Input<pulumi.Input<string>[]>; port: number };

/** A Secret with a login, by name. */
export interface CredentialRef {
  secret: pulumi.Input<string>;
  /** Keys that consumers get as files. */
  keys: string[];
  /** The values, secret, where the graph knows them: what a consumer in another namespace gets a copy of. */
  values?: pulumi.Input<Record<string, pulumi.Input<string>>>;
}

/** The certificate authority that clients check the endpoint against, by name. */
export interface AuthorityRef {
  from: { secret: string | pulumi.Output<string> } | { configMap: string | pulumi.Output<string> };
  /** The key that holds the PEM. */
  key: string;
  /** The PEM, where the graph knows it: what a consumer in another namespace gets a copy of. */
  pem?: pulumi.Output<string>;
}

/**
 * Something that can be connected to. Consuming one (`uses` of a workload, or `connect`) gives the dependency, both
 * sides' NetworkPolicies, and the mounted credential and authority; without that, nothing gets through.
 */
export interface Endpoint {
  /** Unique in its namespace; names the policies made for it, and the mount folder unless `mount` is set. */
  name: string;
  /** Folder below /etc/groundwork in which a consumer finds the credential; the authority is in `<mount>-ca`. @default name */
  mount?: string;
  namespace: NamespaceRef;
  /** Name of the Service, and the port that clients name. */
  service: string;
  port: number;
  /** @default "TCP" */
  protocol?: "TCP" | "UDP";
  backend: Backend;
  credential?: CredentialRef;
  authority?: AuthorityRef;
  /** Known once the endpoint answers, and the same for as long as it is not replaced. Consumers put it into their pods. */
  ready: pulumi.Input<string>;
}

/** The pods that open a connection. */
export interface Client {
  /** Unique in its namespace. */
  name: string;
  namespace: NamespaceRef;
  pods: Record<string, string>;
}

/** The same endpoint, mounted at another place. */
export function mountedAs(endpoint: Endpoint, mount: string): Endpoint {
  return { ...endpoint, mount };
}

/** The endpoint's host name, the same from every namespace and one that certificates carry. */
export function hostOf(endpoint: Pick<Endpoint, "service" | "namespace">): string {
  return `${endpoint.service}.${endpoint.namespace.label}.svc`;
}
