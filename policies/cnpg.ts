import type { ContainerSpec, Pod } from "./pods";
import type { Resource } from "./resource";
import { isAbsent, isUnknown, list } from "./unknown";

type Variable = NonNullable<ContainerSpec["env"]>[number];

/** User and group of the upstream operand images; `spec.postgresUID` and `spec.postgresGID` override them. */
const operandId = 26;

/**
 * The pod that the CloudNativePG operator makes of a `Cluster`. What the resource decides comes from the resource;
 * the rest is what the operator's documentation ("Security", section "Pod and Container Security Contexts") says that
 * it always sets, and what it needs: its instance manager calls the API server, so the token is mounted.
 */
export function cnpgPod(resource: Resource): Pod {
  const spec = resource.props["spec"] ?? {};
  const container: ContainerSpec = {
    name: "postgres",
    image: spec.imageName,
    env: [...environment(spec), ...list<Variable>(spec.env)],
    envFrom: spec.envFrom,
    resources: spec.resources,
    securityContext: {
      privileged: false,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    },
  };
  return {
    resource,
    metadata: { labels: { "cnpg.io/cluster": resource.object?.name ?? resource.name } },
    replicas: spec.instances ?? 1,
    service: true,
    path: "",
    operatorProbes: true,
    spec: {
      containers: [container],
      automountServiceAccountToken: true,
      serviceAccountName: resource.object?.name,
      priorityClassName: spec.priorityClassName,
      topologySpreadConstraints: spec.topologySpreadConstraints,
      // On by default, preferred, by host name.
      affinity: spec.affinity?.enablePodAntiAffinity === false ? {} : { podAntiAffinity: {} },
      securityContext: {
        runAsNonRoot: true,
        runAsUser: spec.postgresUID ?? operandId,
        runAsGroup: spec.postgresGID ?? operandId,
        seccompProfile: spec.seccompProfile ?? { type: "RuntimeDefault" },
      },
    },
  };
}

/** The job that sets up the database takes the owner's name from its Secret, to wait until that is there (`createPrimaryJob`). */
function environment(spec: any): Variable[] {
  const secret = spec.bootstrap?.initdb?.secret?.name;
  if (isAbsent(secret) || isUnknown(secret)) return [];
  return [{ name: "APP_USERNAME", valueFrom: { secretKeyRef: { name: secret, key: "username" } } }];
}
