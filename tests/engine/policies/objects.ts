import { TestResource } from "../../policies/engine-like";

/** An object as the API server takes it. */
export interface ApiObject {
  apiVersion: string;
  kind: string;
  metadata: { name?: string; namespace?: string; [field: string]: unknown };
  [field: string]: any;
}

/** Plural names that are more than the kind with an `s`. */
const plurals: Record<string, string> = {
  Ingress: "ingresses",
  NetworkPolicy: "networkpolicies",
  PriorityClass: "priorityclasses",
  StorageClass: "storageclasses",
};
const clusterScoped = [
  ...["ClusterRole", "ClusterRoleBinding", "CSIDriver", "Namespace", "PriorityClass", "StorageClass"],
  "ValidatingWebhookConfiguration",
];

/** Path of the collection that an object is posted to. */
export function collection({ apiVersion, kind, metadata }: ApiObject): string {
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const scope = clusterScoped.includes(kind) ? "" : `/namespaces/${metadata.namespace ?? "default"}`;
  return `${root}${scope}/${plurals[kind] ?? `${kind.toLowerCase()}s`}`;
}

/** A resource of the policies' tests as an object. */
export const decoded = ({ props }: TestResource): ApiObject => structuredClone(props) as ApiObject;

/** Those of the resources that an API server takes, by their names in the sample. */
export const kubernetesObjects = (resources: Record<string, TestResource>): [string, ApiObject][] =>
  Object.entries(resources)
    .filter(([, { type }]) => type.startsWith("kubernetes:") && !type.endsWith("Patch"))
    .map(([name, resource]) => [name, decoded(resource)]);

/** The pod of a Deployment's template, as if someone made it by hand. */
export function asPod(deployment: ApiObject): ApiObject {
  const { metadata, spec } = deployment["spec"].template as { metadata: object; spec: object };
  const { namespace } = deployment.metadata;
  return { apiVersion: "v1", kind: "Pod", metadata: { ...metadata, name: "api", namespace }, spec };
}

/** A pod that says that a controller's object owns it. */
export function ownedBy(kind: string, name: string, pod: ApiObject): ApiObject {
  const owner = { apiVersion: "apps/v1", kind, name, uid: "4b0e9a5e-6f1d-4c0e-9a53-5f9a1f2b3c4d", controller: true };
  return { ...pod, metadata: { ...pod.metadata, ownerReferences: [owner] } };
}

/** Stands for cert-manager's own definition: any fields. */
export const certificateDefinition = {
  metadata: { name: "certificates.cert-manager.io" },
  spec: {
    group: "cert-manager.io",
    names: { kind: "Certificate", plural: "certificates" },
    scope: "Namespaced",
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
};
