import * as pulumi from "@pulumi/pulumi";

/** What every mocked secret contains, so that it can be searched for wherever it must not be. */
export const canary = "canary-3f9c1b7e";

/** What a mock is asked for: a resource's type, logical name and inputs (secrets unwrapped). */
export interface MockedResource {
  type: string;
  name: string;
  inputs: Record<string, any>;
}

/** The outputs that a mock adds to a resource's inputs. Secrets must be wrapped in `pulumi.secret`. */
export type Mock = (resource: MockedResource) => Record<string, unknown> | undefined;

/** A secret value that can be told from all others. */
const planted = (what: string) => pulumi.secret(`${canary}-${what}`);

/** A private key of the right form and no use. */
const plantedKey = (what: string) =>
  pulumi.secret(`-----BEGIN PRIVATE KEY-----\n${canary}-${what}\n-----END PRIVATE KEY-----\n`);

const certificate = (what: string) => `-----BEGIN CERTIFICATE-----\n${what}\n-----END CERTIFICATE-----\n`;

/** Outputs of the providers that the platform uses, by the beginning of the type. */
const mocks: readonly [RegExp, Mock][] = [
  [/^random:index\/randomPassword:/, ({ name }) => ({ result: planted(name), bcryptHash: planted(`${name}-hash`) })],
  [/^random:index\/randomBytes:/, ({ name }) => ({ base64: planted(name), hex: planted(name) })],
  [
    /^random:index\/randomId:/,
    ({ name }) => ({ hex: `${name}-hex`, b64Url: `${name}-url`, b64Std: `${name}-std`, dec: "1" }),
  ],
  [/^random:/, ({ name }) => ({ result: `${name}-result` })],
  [
    /^tls:index\/privateKey:/,
    ({ name }) => ({
      privateKeyPem: plantedKey(name),
      privateKeyPemPkcs8: plantedKey(name),
      privateKeyOpenssh: plantedKey(name),
      publicKeyPem: `-----BEGIN PUBLIC KEY-----\n${name}\n-----END PUBLIC KEY-----\n`,
      publicKeyOpenssh: `ssh-ed25519 AAAA${name}`,
      publicKeyFingerprintSha256: `SHA256:${name}`,
    }),
  ],
  [
    /^tls:index\/(selfSignedCert|locallySignedCert):/,
    ({ name }) => ({
      certPem: certificate(name),
      readyForRenewal: false,
      validityStartTime: "2026-01-01T00:00:00Z",
      validityEndTime: "2036-01-01T00:00:00Z",
    }),
  ],
  [/^tls:index\/certRequest:/, ({ name }) => ({ certRequestPem: `request of ${name}` })],
  [/^command:/, ({ name }) => ({ stdout: `stdout of ${name}`, stderr: "" })],
  [
    /^hcloud:index\/primaryIp:/,
    ({ inputs }) => ({ ipAddress: inputs["type"] === "ipv6" ? "2001:db8::1" : "192.0.2.10" }),
  ],
  [/^hcloud:index\/loadBalancer:/, () => ({ ipv4: "192.0.2.20", ipv6: "2001:db8::20" })],
  [/^hcloud:index\/volume:/, () => ({ linuxDevice: "/dev/disk/by-id/scsi-0HC_Volume_1" })],
  [/^kubernetes:core\/v1:Service$/, () => ({ status: { loadBalancer: { ingress: [{ ip: "10.41.0.10" }] } } })],
];

/** Outputs of a resource: what the caller's mock says, else the ones above, over the inputs. */
export function outputsOf(resource: MockedResource, own: Mock | undefined): Record<string, unknown> {
  const known = mocks.find(([type]) => type.test(resource.type))?.[1](resource) ?? {};
  return { ...resource.inputs, ...metadata(resource), ...known, ...own?.(resource) };
}

/** The API server gives every object a name and a uid. */
function metadata({ type, name, inputs }: MockedResource): Record<string, unknown> {
  if (!/^kubernetes:/.test(type) || typeof inputs["metadata"] !== "object") return {};
  return { metadata: { name: `${name}-a1b2c3d4`, uid: `uid-of-${name}`, ...inputs["metadata"] } };
}
