import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { Client, Endpoint } from "./endpoint";
import { planEgress, planIngress } from "./policy";
import { FileMount } from "./types";
import { knownName } from "./known-name";

/** Where credentials and authorities of consumed endpoints are mounted. */
export const mountRoot = "/etc/groundwork";

/** What a client gets from a connection. */
export interface Connection {
  /** The credential's and the authority's files. */
  files: FileMount[];
  /** To be put on the client's pods: carries the endpoint's readiness, and so the dependency, by value. */
  annotations: Record<string, pulumi.Input<string>>;
  /** The policies of both sides. */
  policies: pulumi.Resource[];
}

/**
 * Lets a client's pods reach an endpoint: makes the NetworkPolicies of both sides, and copies the credential and the
 * authority where the client is in another namespace.
 *
 * @throws where such a copy is needed and the graph does not know the values (an operator made them)
 */
export function connect(client: Client, endpoint: Endpoint, opts: pulumi.CustomResourceOptions): Connection {
  const egress = new k8s.networking.v1.NetworkPolicy(
    `${client.name}-to-${endpoint.name}`,
    planEgress(client, endpoint),
    opts,
  );
  const ingressArgs = planIngress(client, endpoint);
  // It stands in the endpoint's namespace, which stays when the client's goes.
  const atEndpoint = crosses(client, endpoint) ? { ...opts, deletedWith: undefined } : opts;
  const ingress = ingressArgs
    ? [new k8s.networking.v1.NetworkPolicy(`${endpoint.name}-from-${client.name}`, ingressArgs, atEndpoint)]
    : [];
  return {
    files: [...credentialFiles(client, endpoint, opts), ...authorityFiles(client, endpoint, opts)],
    annotations: { [`groundwork/uses-${endpoint.name}`]: endpoint.ready },
    policies: [egress, ...ingress],
  };
}

function credentialFiles(client: Client, endpoint: Endpoint, opts: pulumi.CustomResourceOptions): FileMount[] {
  const { credential } = endpoint;
  if (!credential) return [];
  const path = `${mountRoot}/${endpoint.mount ?? endpoint.name}`;
  if (!crosses(client, endpoint)) return [{ path, from: { secret: credential.secret }, keys: credential.keys }];
  if (!credential.values) throw cannotCopy(client, endpoint, "credential");
  const copy = new k8s.core.v1.Secret(
    `${client.name}-${endpoint.name}-credential`,
    {
      metadata: { name: `${client.name}-${endpoint.name}-credential`, namespace: client.namespace.name },
      stringData: credential.values,
    },
    opts,
  );
  return [
    { path, from: { secret: knownName(`${client.name}-${endpoint.name}-credential`, copy) }, keys: credential.keys },
  ];
}

function authorityFiles(client: Client, endpoint: Endpoint, opts: pulumi.CustomResourceOptions): FileMount[] {
  const { authority } = endpoint;
  if (!authority) return [];
  const path = `${mountRoot}/${endpoint.mount ?? endpoint.name}-ca`;
  if (!crosses(client, endpoint)) return [{ path, from: authority.from, keys: [authority.key] }];
  if (!authority.pem) throw cannotCopy(client, endpoint, "certificate authority");
  const copy = new k8s.core.v1.ConfigMap(
    `${client.name}-${endpoint.name}-ca`,
    {
      metadata: { name: `${client.name}-${endpoint.name}-ca`, namespace: client.namespace.name },
      data: { [authority.key]: authority.pem },
    },
    opts,
  );
  return [{ path, from: { configMap: knownName(`${client.name}-${endpoint.name}-ca`, copy) }, keys: [authority.key] }];
}

const crosses = (client: Client, endpoint: Endpoint): boolean => client.namespace.label !== endpoint.namespace.label;

function cannotCopy(client: Client, endpoint: Endpoint, what: string): Error {
  return new Error(
    `${client.name} in namespace ${client.namespace.label} uses ${endpoint.name} of namespace ` +
      `${endpoint.namespace.label}, whose ${what} is made inside the cluster and can't be copied by the graph: ` +
      `put ${client.name} into ${endpoint.namespace.label}, or give ${endpoint.name} a ${what} of the graph's own.`,
  );
}
