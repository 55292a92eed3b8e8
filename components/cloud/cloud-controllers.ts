import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import type { CloudAccess } from "../host";
import { prefixOf } from "../host/hcloud/plan";
import { Foundation, knownName, PlatformNamespace, ResourceNeeds } from "../workload";
import { makeNodeController } from "./node-controller";
import { smallResources } from "./pods";
import { CloudSettings, cloudSchema } from "./settings";
import { makeStorageClasses } from "./storage-classes";
import { makeVolumeController } from "./volume-controller";
import { makeVolumeNode } from "./volume-node";

export interface CloudControllersArgs {
  foundation: Foundation;
  /** The cloud that the cluster's machines stand in. */
  cloud: CloudAccess;
  /** Labels of the volumes that are made for claims: they tell the stack's volumes from others. @default the stack's name */
  labels?: Record<string, string>;
  /** @default volumes on, unencrypted, not the default class */
  settings?: CloudSettings;
  /** Of each container. @default 10m CPU and 32Mi requested, a quarter of a core and 128Mi at most */
  resources?: ResourceNeeds;
}

const namespaceName = "hcloud";
const tokenFolder = "/etc/hcloud";
const tokenFile = "token";

/**
 * What keeps the cluster and the cloud that it stands in of one mind: nodes are initialised (until then nothing else can run on
 * them), labelled with their place and type, and removed when their server is gone; claims become volumes of the cloud.
 */
export class CloudControllers extends pulumi.ComponentResource {
  readonly namespace: PlatformNamespace;
  /** Known once the controllers run; nodes are initialised within seconds of it. */
  readonly ready: pulumi.Output<string>;
  /** The class for claims that are to be volumes of the cloud, known once they are made; undefined where volumes are off. */
  readonly storageClass?: pulumi.Output<string>;

  constructor(name: string, args: CloudControllersArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:cloud:CloudControllers", name, {}, opts);
    const { foundation, cloud } = args;
    const { volumes } = args.settings ?? cloudSchema.parse({});
    const resources = args.resources ?? smallResources;
    const here = { parent: this };
    this.namespace = new PlatformNamespace(
      namespaceName,
      {
        foundation,
        tier: "platform",
        quota: { pods: 4, requests: { cpu: "500m", memory: "512Mi" }, limits: { cpu: "4", memory: "2Gi" } },
      },
      here,
    );
    const token = this.makeToken(name, cloud);
    const node = makeNodeController(
      "hcloud-cloud-controller-manager",
      { namespace: this.namespace, cloud, token, resources },
      here,
    );
    const ready = [node.ready];
    if (volumes.enabled) {
      const controller = makeVolumeController(
        "hcloud-csi-controller",
        { namespace: this.namespace, cloud, token, labels: args.labels ?? stackLabel(), resources },
        here,
      );
      const driver = makeVolumeNode("hcloud-csi-node", { foundation, resources }, here);
      const served = pulumi.all([controller.ready, driver.ready]).apply((uids) => uids.join(" "));
      this.storageClass = makeStorageClasses(`${name}-volumes`, this.namespace, volumes, served, here);
      ready.push(served);
    }
    this.ready = pulumi.all(ready).apply((uids) => uids.join(" "));
    this.registerOutputs({ ready: this.ready, storageClass: this.storageClass });
  }

  /** The cloud's token as a Secret, which pods mount: none of them has it in its environment. */
  private makeToken(name: string, { token }: CloudAccess) {
    const title = `${name}-token`;
    const secret = new k8s.core.v1.Secret(
      title,
      { metadata: { name: title, namespace: this.namespace.name }, stringData: { [tokenFile]: pulumi.secret(token) } },
      { parent: this, deletedWith: this.namespace.resource },
    );
    return {
      mount: { path: tokenFolder, from: { secret: knownName(title, secret) }, keys: [tokenFile] },
      file: `${tokenFolder}/${tokenFile}`,
      // The programs read it once: another token needs other pods. The version says nothing of the value.
      version: secret.metadata.resourceVersion,
    };
  }
}

/** As everything in the cloud that the stack makes is labelled. */
const stackLabel = (): Record<string, string> => ({ "groundwork-stack": prefixOf(pulumi.getStack()) });
