import * as pulumi from "@pulumi/pulumi";
import { openArtifacts } from "./artifacts";
import { LocalNames } from "./components/edge";
import { endingWith, makeCluster } from "./stacks/cluster";
import { Platform } from "./stacks/platform";
import type { StackReport } from "./stacks/report";
import { readSettings } from "./stacks/settings";

const stack = pulumi.getStack();
const settings = readSettings(); //                        one parse, all mistakes at once
const artifacts = openArtifacts(); //                      what the cache holds; nothing is fetched from here on

const cluster = makeCluster(settings, artifacts); //       the only place where targets differ
const platform = new Platform(
  "platform",
  { artifacts, settings, ...cluster },
  { providers: { kubernetes: cluster.provider }, transformations: endingWith(cluster.machine) },
);
if (settings.localNames) {
  new LocalNames("local-names", { stack, address: platform.ingressAddress, names: platform.hostnames });
}

/** URLs by name, each known once it is served. */
export const endpoints = platform.endpoints;
/** The CA certificate that the endpoints' certificates are signed by. */
export const ca = platform.ca;
/** The administrator's kubeconfig; a secret. */
export const kubeconfig = cluster.kubeconfig;
/** What `status` and `doctor` read. */
export const report: pulumi.Output<StackReport> = pulumi
  .all([platform.endpoints, platform.ca, platform.ingressAddress, cluster.components] as const)
  .apply(([urls, pem, ingressAddress, below]) => ({
    stack,
    target: settings.target.driver,
    components: [...below, ...Platform.report(settings, ingressAddress)],
    endpoints: urls,
    hostnames: platform.hostnames,
    ingressAddress,
    ca: pem,
  }));
