import type { Entry } from "./types";

// renovate: datasource=docker depName=quay.io/jetstack/cert-manager-controller
const CERT_MANAGER = "v1.21.2";

const passwd = "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532::/:/sbin/nologin\n";

/** cert-manager: three programs and their definitions. */
export const certificateEntries: Entry[] = [
  ...program("controller", "makes and renews certificates", 400),
  ...program("webhook", "checks its objects when they are made", 30),
  ...program("acmesolver", "answers an HTTP-01 challenge", 20),
  {
    name: "cert-manager-crds",
    version: CERT_MANAGER,
    kind: "manifest",
    about: "cert-manager's resource definitions",
    file: `cert-manager-${CERT_MANAGER}.crds.yaml`,
    sources: [
      {
        type: "module-file",
        parts: "official",
        seconds: 10,
        module: "github.com/cert-manager/cert-manager",
        version: CERT_MANAGER,
        path: [
          "deploy/crds/cert-manager.io_certificates.yaml",
          "deploy/crds/cert-manager.io_certificaterequests.yaml",
          "deploy/crds/cert-manager.io_clusterissuers.yaml",
          "deploy/crds/cert-manager.io_issuers.yaml",
          "deploy/crds/acme.cert-manager.io_challenges.yaml",
          "deploy/crds/acme.cert-manager.io_orders.yaml",
        ],
      },
    ],
  },
];

/** An image of upstream's, and the binary for the one that is built here, at the same path. */
function program(name: string, does: string, seconds: number): Entry[] {
  const path = `/app/cmd/${name}/${name}`;
  return [
    {
      name: `cert-manager-${name}`,
      version: CERT_MANAGER,
      kind: "image",
      about: `cert-manager's ${name}: ${does}; where it is built here, its main is ours over upstream's libraries`,
      file: `cert-manager-${name}.tar`,
      image: { name: `quay.io/jetstack/cert-manager-${name}`, tag: CERT_MANAGER },
      sources: [
        { type: "pull", parts: "official", seconds: 20 },
        {
          type: "compose",
          parts: "built",
          seconds: 5,
          layers: [
            {
              files: [
                { entry: `cert-manager-${name}-binary`, to: path, mode: 0o755 },
                { text: passwd, to: "/etc/passwd" },
              ],
            },
          ],
          config: { entrypoint: [path], user: "65532:65532", workingDir: "/" },
        },
      ],
    },
    {
      name: `cert-manager-${name}-binary`,
      version: CERT_MANAGER,
      kind: "file",
      about: `cert-manager's ${name}, for the image that is built here`,
      file: name,
      internal: true,
      sources: [{ type: "go", parts: "built", seconds, folder: "artifacts/recipes/cert-manager", output: name }],
    },
  ];
}
