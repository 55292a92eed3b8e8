import type { Scanner } from "../scanners";
import * as shape from "./shape";
import type { RenderedObject } from "./objects";

/** A check of a scanner that does not fit what the project decided, or that can't see what holds. */
export interface Reason {
  scanner: Scanner;
  check: string;
  /** The objects that it speaks of. @default all that the check finds */
  where?: (object: RenderedObject, all: readonly RenderedObject[]) => boolean;
  /** Why, in a sentence that holds without context. */
  because: string;
}

const trivy = (check: string, because: string, where?: Reason["where"]): Reason => ({
  scanner: "trivy",
  check,
  because,
  ...(where && { where }),
});
const kubeScore = (check: string, because: string, where?: Reason["where"]): Reason => ({
  scanner: "kubeScore",
  check,
  because,
  ...(where && { where }),
});

/** Trivy looks at one document at a time, and so at no namespace as a whole. */
const quotas: Reason[] = [
  trivy("KSV-0039", "The namespace has a LimitRange, in a document of its own.", shape.beside("LimitRange")),
  trivy("KSV-0039", "The object is in no namespace; the check takes it for one of the default.", shape.inNoNamespace),
  trivy(
    "KSV-0039",
    "Kubernetes' own namespaces hold K3s' pods, which have sizes of their own; nothing else is put there.",
    shape.inSystemNamespace,
  ),
  trivy("KSV-0040", "The namespace has a ResourceQuota, in a document of its own.", shape.beside("ResourceQuota")),
  trivy("KSV-0040", "The object is in no namespace; the check takes it for one of the default.", shape.inNoNamespace),
  trivy(
    "KSV-0040",
    "A quota in Kubernetes' own namespaces could keep the cluster's DNS or load balancer from coming back.",
    shape.inSystemNamespace,
  ),
];

/** What roles are for; the pack's own rules know names of objects and subresources, which these checks do not. */
const roles: Reason[] = [
  trivy(
    "KSV-0113",
    "It reaches Secrets by name only; to make one is all that can't be bound to a name.",
    shape.onlyNamed("secrets"),
  ),
  trivy(
    "KSV-0049",
    "It changes ConfigMaps by name only; to make one is all that can't be bound to a name.",
    shape.onlyNamed("configmaps"),
  ),
  trivy(
    "KSV-0049",
    "CloudNativePG keeps the configuration of its clusters in ConfigMaps.",
    shape.named("ClusterRole/cnpg-manager"),
  ),
  trivy(
    "KSV-0049",
    "Administrators repair what the graph made; the next up puts it back.",
    shape.named("ClusterRole/groundwork-admin"),
  ),
  trivy(
    "KSV-0050",
    "CloudNativePG makes each cluster's Role; the API server refuses it rights that it does not hold itself.",
    shape.named("ClusterRole/cnpg-manager"),
  ),
  trivy(
    "KSV-0056",
    "CloudNativePG makes the Services of its clusters and points them at the primary.",
    shape.named("ClusterRole/cnpg-manager"),
  ),
  trivy(
    "KSV-0056",
    "Administrators open a way in an emergency; the next up puts it back.",
    shape.named("ClusterRole/groundwork-admin"),
  ),
  trivy(
    "KSV-0056",
    "cert-manager answers an ACME server's HTTP-01 challenge through a Service and an Ingress in the edge's namespace, for a minute.",
    shape.named("Role/traefik/cert-manager-solves-traefik"),
  ),
  trivy(
    "KSV-0048",
    "Developers restart, by deleting pods and failed jobs that controllers make anew; they can't make or change any.",
    shape.named("ClusterRole/groundwork-developer"),
  ),
];

const pods: Reason[] = [
  trivy(
    "KSV-0036",
    "The token is mounted into the one container that needs it, and the pod's own mounting is off.",
    shape.mountsNoTokenItself,
  ),
  trivy(
    "KSV-0125",
    "The check's list of registries is not this project's: that is the rule allowed-registries', and every image carries its digest.",
  ),
  kubeScore(
    "container-image-pull-policy",
    "Images are named by digest, so that pulling one again can't bring another; machines without a registry could not.",
  ),
  kubeScore(
    "deployment-has-host-podantiaffinity",
    "Topology constraints spread the copies, and unlike an anti-affinity let one machine run them all.",
    shape.spreads,
  ),
  kubeScore("deployment-replicas", "How many copies run is a setting: one machine has no use for a second."),
  kubeScore(
    "deployment-strategy",
    "Two copies at once would work against each other, so the old one ends before the new one begins.",
    shape.recreated,
  ),
  kubeScore(
    "pod-probes-identical",
    "The probe asks the process about nothing but itself, and liveness waits longer: a pod leaves its Service before it is restarted.",
    shape.livesLonger,
  ),
];

const others: Reason[] = [
  trivy(
    "KSV-0037",
    "The system's namespaces are closed by default as well, and their policies have to stand in them.",
    shape.ofKind("NetworkPolicy"),
  ),
  trivy(
    "KSV-0037",
    "The cluster's names are served from there, and the budget of what serves them stands beside it.",
    shape.named("PodDisruptionBudget/kube-system/coredns"),
  ),
  trivy(
    "KSV-0037",
    "The driver of a node's volumes is a part of the node, and Pod Security lets nobody mount for others anywhere else.",
    shape.named("DaemonSet/kube-system/hcloud-csi-node"),
  ),
  trivy(
    "KSV-01010",
    "The file names the paths at which keys and users are mounted, and none of their content.",
    shape.named("ConfigMap/app/cache-config"),
  ),
  kubeScore(
    "networkpolicy-targets-pod",
    "The pods of Kubernetes' own namespaces are made by K3s; where there are none, the policy waits for them.",
    shape.inSystemNamespace,
  ),
  kubeScore(
    "networkpolicy-targets-pod",
    "The pods are made in the cluster by an operator, so that the files have the policy alone.",
    shape.forMadePods,
  ),
];

/**
 * Everything that kube-score or trivy say against the stacks and that is neither mended nor an exemption of the pack. Reviewed like
 * the exemptions; an entry that no finding of any stack needs fails the tests.
 */
export const reasons: readonly Reason[] = [...quotas, ...roles, ...pods, ...others];
