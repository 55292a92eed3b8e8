import { literal } from "../cel";
import { cis, containerRule, nsa } from "../rule";
import { isAbsent, isUnknown, list } from "../unknown";

/** Registries, or folders of one, that images of the catalogue come from. */
export const registries = [
  "docker.io/bitnami/sealed-secrets-controller",
  "docker.io/hashicorp/",
  "docker.io/hetznercloud/",
  "docker.io/library/",
  "docker.io/rancher/",
  "docker.io/valkey/",
  "ghcr.io/cloudnative-pg/",
  "ghcr.io/external-secrets/",
  "ghcr.io/groundwork/",
  "quay.io/jetstack/",
  "registry.k8s.io/",
];

/** The full name of an image as the container runtime reads it: `traefik` is `docker.io/library/traefik`. */
export function fullName(image: string): string {
  const [first, ...rest] = image.split("/");
  const hasHost = rest.length > 0 && /[.:]|^localhost$/.test(first!);
  return hasHost ? image : rest.length > 0 ? `docker.io/${image}` : `docker.io/library/${image}`;
}

/** CEL of `fullName`. */
const celFullName = (image: string): string =>
  `${image}.contains('/') ? (${image}.split('/')[0].matches('[.:]|^localhost$') ? ${image} : 'docker.io/' + ${image}) : ` +
  `'docker.io/library/' + ${image}`;

/** What may run here is decided by the catalogue, not by who can edit a manifest. */
export const allowedRegistries = containerRule(
  {
    id: "allowed-registries",
    title: "Images come from allowed registries",
    severity: "high",
    controls: [cis("5.5.1"), nsa("Building secure container images")],
    scanners: { trivy: ["KSV-0032", "KSV-0033", "KSV-0034", "KSV-0035", "KSV-0125"] },
    cluster: {
      per: "container",
      valid: `${literal(registries)}.exists(r, (${celFullName("c.?image.orValue('')")}).startsWith(r))`,
    },
    remediation:
      "Add the image to the artefact catalogue under an allowed registry, or add the registry to the rule's list.",
    configSchema: {
      properties: { registries: { type: "array", items: { type: "string" }, default: registries } },
    },
  },
  ({ spec: { image } }, _pod, config) => {
    if (isAbsent(image) || isUnknown(image)) return undefined;
    const allowed = config["registries"] === undefined ? registries : list<string>(config["registries"]);
    const name = fullName(image);
    return allowed.some((prefix) => name.startsWith(prefix))
      ? undefined
      : `runs an image of a registry that is not allowed, ${name}`;
  },
);
