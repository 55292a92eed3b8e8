import * as pulumi from "@pulumi/pulumi";
import { openArtifacts } from "./artifacts";
import { LocalNames } from "./components/edge";
import { endingWith, makeCluster } from "./stacks/cluster";
import { Platform } from "./stacks/platform";
import type { StackReport } from "./stacks/report";
import { readSettings } from "./stacks/settings";
import { stageOfRun } from "./stacks/stage";

const stack = pulumi.getStack();
const settings = readSettings(); //                        one parse, all mistakes at once
const artifacts = openArtifacts(); //                      what the cache holds; nothing is fetched from here on

const cluster = makeCluster(settings, artifacts); //       the only place where targets differ
const platform = stageOfRun() === "all" ? makePlatform() : undefined; // a restore makes the cluster first
if (platform && settings.localNames) {
  new LocalNames("local-names", { stack, address: platform.ingressAddress, names: platform.hostnames });
}

/** URLs by name, each known once it is served. */
export const endpoints = platform?.endpoints;
/** The CA certificate that the endpoints' certificates are signed by. */
export const ca = platform?.ca;
/** The administrator's kubeconfig; a secret. */
export const kubeconfig = cluster.kubeconfig;
/** What `status` and `doctor` read. */
export const report = platform && reportOn(platform);

function makePlatform(): Platform {
  return new Platform(
    "platform",
    { artifacts, settings, ...cluster },
    { providers: { kubernetes: cluster.provider }, transformations: endingWith(cluster.lifetime) },
  );
}

function reportOn({
  endpoints: urls,
  ca: pem,
  ingressAddress: address,
  hostnames,
}: Platform): pulumi.Output<StackReport> {
  return pulumi
    .all([urls, pem, address, cluster.components] as const)
    .apply(([endpoints, ca, ingressAddress, below]) => ({
      stack,
      target: settings.target.driver,
      components: [...below, ...Platform.report(settings, ingressAddress)],
      endpoints,
      hostnames,
      ingressAddress,
      ca,
    }));
}
