import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import * as random from "@pulumi/random";
import { knownName, PlatformNamespace } from "../workload";
import type { CloudSettings } from "./settings";
import { driverName } from "./volume-node";

/** Names of the storage classes: upstream's documents have them. */
export const storageClassNames = { plain: "hcloud-volumes", encrypted: "hcloud-volumes-encrypted" } as const;

/** What Kubernetes is told of the driver: it attaches, gives files to the pod's group, and wants to know the pod. */
export const planDriver = (): k8s.storage.v1.CSIDriverArgs => ({
  metadata: { name: driverName },
  spec: {
    attachRequired: true,
    fsGroupPolicy: "File",
    podInfoOnMount: true,
    seLinuxMount: true,
    volumeLifecycleModes: ["Persistent"],
  },
});

/** A class of volumes. A volume is made where its pod is to run, and deleted with its claim. */
export const planStorageClass = (
  name: string,
  isDefault: boolean,
  passphrase?: { name: pulumi.Input<string>; namespace: pulumi.Input<string> },
): k8s.storage.v1.StorageClassArgs => ({
  metadata: { name, annotations: { "storageclass.kubernetes.io/is-default-class": String(isDefault) } },
  provisioner: driverName,
  volumeBindingMode: "WaitForFirstConsumer",
  allowVolumeExpansion: true,
  reclaimPolicy: "Delete",
  ...(passphrase && {
    parameters: {
      "csi.storage.k8s.io/node-publish-secret-name": passphrase.name,
      "csi.storage.k8s.io/node-publish-secret-namespace": passphrase.namespace,
    },
  }),
});

/**
 * The storage classes, and for encrypted volumes the passphrase of all of them: a Secret that kubelets hand to the driver. The
 * result is the name of the class to use, known once `driver` serves it.
 */
export function makeStorageClasses(
  name: string,
  namespace: PlatformNamespace,
  settings: CloudSettings["volumes"],
  driver: pulumi.Input<string>,
  opts: pulumi.CustomResourceOptions,
): pulumi.Output<string> {
  const csiDriver = new k8s.storage.v1.CSIDriver(`${name}-driver`, planDriver(), opts);
  const storageClass = (title: string, isDefault: boolean, passphrase?: Parameters<typeof planStorageClass>[2]) =>
    new k8s.storage.v1.StorageClass(title, planStorageClass(title, isDefault, passphrase), opts);
  const plain = storageClass(storageClassNames.plain, settings.default && !settings.encrypted);
  const made = settings.encrypted
    ? storageClass(storageClassNames.encrypted, settings.default, makePassphrase(`${name}-passphrase`, namespace, opts))
    : plain;
  const label = settings.encrypted ? storageClassNames.encrypted : storageClassNames.plain;
  return pulumi.all([knownName(label, made, csiDriver), driver]).apply(([known]) => known);
}

function makePassphrase(name: string, namespace: PlatformNamespace, opts: pulumi.CustomResourceOptions) {
  const passphrase = new random.RandomPassword(name, { length: 48, special: false }, opts);
  const secret = new k8s.core.v1.Secret(
    name,
    {
      metadata: { name, namespace: namespace.name },
      stringData: { "encryption-passphrase": pulumi.secret(passphrase.result) },
    },
    { ...opts, deletedWith: namespace.resource },
  );
  return { name: knownName(name, secret), namespace: namespace.name };
}
