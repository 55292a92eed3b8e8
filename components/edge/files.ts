import * as pulumi from "@pulumi/pulumi";
import * as k8s from "@pulumi/kubernetes";
import { certificateSecret, issueCertificate, Issuer, LocalCa } from "../pki";
import {
  connect,
  Endpoint,
  FileMount,
  FolderPart,
  HardenedDeployment,
  knownName,
  PlatformNamespace,
} from "../workload";
import { challengePriority, planRoutes, Route } from "./routes";

const configFolder = "/etc/traefik/routes";
const configFile = "routes.yaml";
const certificateFolder = "/etc/traefik/certificate";
/** Routes and certificate in one folder, which Traefik watches. */
const dynamicFolder = "/etc/traefik/dynamic";

/** What the edge's pods are given to serve with. */
export interface EdgeFiles {
  /** Parts of the workload's arguments. */
  pods: {
    config?: { path: string; files: Record<string, pulumi.Input<string>> };
    files: FileMount[];
    restartOn: Record<string, pulumi.Input<string>>;
  };
  /** Flags that name the files. */
  arguments: string[];
  /** Gets the certificate by way of the running edge's `door` on port 80; the result is known once it is there. */
  certify?: (edge: HardenedDeployment, door: Endpoint) => pulumi.Output<string>;
}

interface EdgePlan {
  namespace: PlatformNamespace;
  hosts: string[];
  issuer: LocalCa | Issuer;
  routes: Route[];
}

/** Routes and certificate of the edge, as files, by the kind of authority that signs. */
export function planFiles(name: string, plan: EdgePlan, opts: pulumi.CustomResourceOptions): EdgeFiles {
  return plan.issuer instanceof LocalCa
    ? ofLocalCa(name, plan, plan.issuer, opts)
    : ofIssuer(name, plan, plan.issuer, opts);
}

function ofLocalCa(
  name: string,
  { namespace, hosts, routes }: EdgePlan,
  issuer: LocalCa,
  opts: pulumi.CustomResourceOptions,
): EdgeFiles {
  const certificate = issuer.issueServerCert(name, { namespace, dnsNames: hosts }, opts);
  return {
    pods: {
      config: { path: configFolder, files: { [configFile]: planRoutes(routes, certificateFolder) } },
      files: [{ path: certificateFolder, from: { secret: certificate.secret }, keys: ["tls.crt", "tls.key"] }],
      // Traefik reads the files once: a renewed certificate needs new pods.
      restartOn: { certificate: certificate.certificate },
    },
    arguments: [
      `--providers.file.filename=${configFolder}/${configFile}`,
      // A change of the routes replaces the pods, which is noticed at once; a watch would wait for the kubelet.
      "--providers.file.watch=false",
    ],
  };
}

function ofIssuer(
  name: string,
  { namespace, hosts, routes }: EdgePlan,
  issuer: Issuer,
  opts: pulumi.CustomResourceOptions,
): EdgeFiles {
  const challenges = challengesOf(namespace, issuer.challenges);
  const content = planRoutes(routes, dynamicFolder, challenges);
  const map = new k8s.core.v1.ConfigMap(
    `${name}-config`,
    { metadata: { name: `${name}-config`, namespace: namespace.name }, data: { [configFile]: content } },
    opts,
  );
  const issue = (after: pulumi.Resource[] = []) =>
    issueCertificate(name, { issuer, namespace, dnsNames: hosts }, { ...opts, dependsOn: after });
  // HTTP-01 asks through the edge, so the edge starts before its certificate is there.
  const secret = challenges ? certificateSecret(name) : issue().secret;
  const parts: FolderPart[] = [
    // The kubelet shows such a folder through one whose name changes with each version, and links to what is in that.
    // Traefik reads the folders below the one that it watches but follows no link to a folder: with the routes one level
    // down it finds them once and not twice.
    { configMap: knownName(`${name}-config`, map), files: { [`routes/${configFile}`]: configFile } },
    { secret, files: { "tls.crt": "tls.crt", "tls.key": "tls.key" }, optional: challenges && true },
  ];
  return {
    pods: {
      files: [{ path: dynamicFolder, from: { together: parts } }],
      // Faster than the kubelet, which brings changed files within a minute or so.
      restartOn: { config: content },
    },
    arguments: [
      `--providers.file.directory=${dynamicFolder}`,
      "--providers.file.watch=true",
      ...(challenges ? [`--entryPoints.web.http.redirections.entryPoint.priority=${challengePriority - 1}`] : []),
    ],
    certify:
      challenges &&
      ((edge, door) => {
        const toSolvers = connect(edge.client, challenges, opts);
        // The edge's address leads to its own pods, which is what policies see.
        const toEdge = connect(challenges.asker, door, opts);
        return issue([edge, serveChallenges(challenges, opts), ...toSolvers.policies, ...toEdge.policies]).secret;
      }),
  };
}

type Challenges = NonNullable<Issuer["challenges"]>;
type ChallengeEndpoint = Endpoint & {
  backend: { pods: Record<string, string>; port: number };
  asker: Challenges["asker"];
};

/** Where HTTP-01 challenges of an issuer are answered: solver pods in the edge's own namespace. */
function challengesOf(namespace: PlatformNamespace, challenges: Challenges | undefined): ChallengeEndpoint | undefined {
  if (!challenges) return undefined;
  const { pods, port, asker } = challenges;
  const name = "acme-challenges";
  const ready = "while cert-manager is asked";
  return { name, namespace, service: name, port, backend: { pods, port }, asker, ready };
}

/** One Service for the pods of every challenge: cert-manager works on one at a time. */
function serveChallenges(
  { service: name, namespace, port, backend }: ChallengeEndpoint,
  opts: pulumi.CustomResourceOptions,
) {
  return new k8s.core.v1.Service(
    `${namespace.label}-${name}`,
    {
      metadata: {
        name,
        namespace: namespace.name,
        // Pods are there for seconds at a time: nobody may wait for them.
        annotations: { "pulumi.com/skipAwait": "true" },
      },
      spec: { selector: backend.pods, ports: [{ name: "http", port, targetPort: backend.port }] },
    },
    opts,
  );
}
