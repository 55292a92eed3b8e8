import * as fs from "node:fs";
import * as path from "node:path";
import type { ImageName } from "../catalogue/types";
import { ArtifactError, ChecksumMismatch, Unavailable } from "../errors";
import { sha256 } from "../hash";
import { request, save } from "../http";
import { MEDIA, referenceOf, writeLayout, type Blob, type Image } from "../image/layout";
import { platform } from "../lockfile";
import type { Built, BuildContext } from "./context";

/** Manifests that the client understands: OCI's, and Docker's of the same shape. */
const DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
const ACCEPT = [MEDIA.index, MEDIA.manifest, DOCKER_LIST, DOCKER_MANIFEST].join(", ");

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  platform?: { os: string; architecture: string; variant?: string };
}

interface Manifest {
  mediaType?: string;
  manifests?: Descriptor[];
  config?: Descriptor;
  layers?: Descriptor[];
}

/** Where a registry's API is: Docker Hub's differs from the name in references. */
export function registryOf(name: string): { api: string; repository: string } {
  const slash = name.indexOf("/");
  const host = name.slice(0, slash);
  const local = /^(127\.|localhost(:|$))/.test(host);
  const api = host === "docker.io" ? "https://registry-1.docker.io" : `${local ? "http" : "https"}://${host}`;
  return { api, repository: name.slice(slash + 1) };
}

/**
 * Pulls an image for this machine's platform by the OCI distribution protocol (spec.md, "Pull"), checks every blob
 * against its digest, and the manifest against the lock.
 * @throws Unavailable when the registry does not hand it out, ChecksumMismatch when something is not what it should be
 */
export async function pull(image: ImageName, context: BuildContext): Promise<Built> {
  const { entry, lock } = context;
  const client = new Registry(image.name);
  const locked = context.updateLock ? undefined : lock.upstream(entry.name, entry.version);
  const manifest = await client.manifest(locked ? `sha256:${locked.sha256}` : image.tag);
  if (locked && manifest.blob.sha256 !== locked.sha256) {
    throw new ChecksumMismatch(entry.name, image.name, locked.sha256, manifest.blob.sha256, "artifacts/lock.json");
  }
  const blobs: Blob[] = [manifest.blob];
  const { config, layers = [] } = manifest.content;
  if (config === undefined) throw new ArtifactError(`${image.name}: the manifest has no configuration`);
  for (const [number, descriptor] of [config, ...layers].entries()) {
    const file = path.join(context.scratch, `blob-${number}`);
    blobs.push(await client.blob(descriptor, file, entry.name));
  }
  const pulled: Image = { image, digest: `sha256:${manifest.blob.sha256}`, manifestType: manifest.type, blobs };
  await writeLayout([pulled], path.join(context.out, entry.file));
  const from = `${image.name}:${image.tag}`;
  if (!locked && lock.record(entry.name, entry.version, { from, sha256: manifest.blob.sha256 })) {
    context.say("its digest is new in artifacts/lock.json: review and commit it");
  }
  return { source: from, ref: referenceOf(pulled) };
}

/** One repository of a registry, with the token that it asks for. */
class Registry {
  private readonly api: string;
  private readonly repository: string;
  private token: string | undefined;

  constructor(name: string) {
    ({ api: this.api, repository: this.repository } = registryOf(name));
  }

  /** The manifest of this platform: an index is followed once. */
  async manifest(reference: string): Promise<{ blob: Blob; type: string; content: Manifest }> {
    const response = await this.get(`manifests/${reference}`, ACCEPT);
    const bytes = Buffer.from(await response.arrayBuffer());
    const digest = sha256(bytes);
    if (reference.startsWith("sha256:") && reference !== `sha256:${digest}`) {
      throw new ChecksumMismatch(this.repository, response.url, reference.slice(7), digest, "the manifest's reference");
    }
    const content = JSON.parse(bytes.toString()) as Manifest;
    const type = content.mediaType ?? response.headers.get("content-type") ?? MEDIA.manifest;
    if (content.manifests === undefined) {
      return { blob: { sha256: digest, size: bytes.length, content: { bytes } }, type, content };
    }
    const [os, architecture] = platform.split("-");
    const mine = content.manifests.find((m) => m.platform?.os === os && m.platform?.architecture === architecture);
    if (mine === undefined) throw new Unavailable(`${this.api}/${this.repository} has no image for ${platform}`);
    return this.manifest(mine.digest);
  }

  async blob(descriptor: Descriptor, file: string, name: string): Promise<Blob> {
    const response = await this.get(`blobs/${descriptor.digest}`);
    const digest = await save(response, file);
    if (`sha256:${digest}` !== descriptor.digest) {
      throw new ChecksumMismatch(name, response.url, descriptor.digest.slice(7), digest, "the image's manifest");
    }
    return { sha256: digest, size: fs.statSync(file).size, content: { file } };
  }

  private async get(what: string, accept = "*/*") {
    const url = `${this.api}/v2/${this.repository}/${what}`;
    const headers = (): Record<string, string> => ({
      accept,
      ...(this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }),
    });
    const response = await request(url, { headers: headers(), accept: [401] });
    if (response.status !== 401) return response;
    await response.body?.cancel();
    this.token = await anonymousToken(response.headers.get("www-authenticate") ?? "", this.repository);
    return request(url, { headers: headers() });
  }
}

/** Asks the token service that a registry's challenge names (distribution's token authentication). */
async function anonymousToken(challenge: string, repository: string): Promise<string> {
  const pairs = [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map((m): [string, string] => [m[1] ?? "", m[2] ?? ""]);
  const parameters: Record<string, string | undefined> = Object.fromEntries(pairs);
  if (!/^bearer /i.test(challenge) || parameters["realm"] === undefined) {
    throw new Unavailable(`the registry of ${repository} wants a login (${challenge || "no challenge"})`);
  }
  const url = new URL(parameters["realm"]);
  if (parameters["service"]) url.searchParams.set("service", parameters["service"]);
  url.searchParams.set("scope", parameters["scope"] ?? `repository:${repository}:pull`);
  const answer = (await (await request(url.href)).json()) as { token?: string; access_token?: string };
  const token = answer.token ?? answer.access_token;
  if (token === undefined) throw new Unavailable(`${url.host} gave no token for ${repository}`);
  return token;
}
