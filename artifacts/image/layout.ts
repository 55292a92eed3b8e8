import type { ImageConfig, ImageName } from "../catalogue/types";
import { sha256 } from "../hash";
import { platform } from "../lockfile";
import type { LayerFile } from "./layer";
import { TarWriter } from "./tar";

/** Media types of the OCI image specification 1.1 (media-types.md). */
export const MEDIA = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
} as const;

/** An image as blobs: bytes at hand, or files. */
export interface Image {
  image: ImageName;
  /** `sha256:...` of the manifest: what a pinned reference names. */
  digest: string;
  manifestType: string;
  blobs: Blob[];
}

export interface Blob {
  /** Hex SHA-256. */
  sha256: string;
  size: number;
  content: { bytes: Buffer } | { file: string };
}

/** `name:tag@sha256:...`, as pod specs write it. */
export const referenceOf = (image: Image): string => `${image.image.name}:${image.image.tag}@${image.digest}`;

/** Makes an image of layers: the same layers and configuration always give the same digest. */
export function composeImage(image: ImageName, layers: LayerFile[], config: ImageConfig): Image {
  const runtime = {
    ...(config.user === undefined ? {} : { User: config.user }),
    ...(config.env === undefined ? {} : { Env: config.env }),
    ...(config.entrypoint === undefined ? {} : { Entrypoint: config.entrypoint }),
    ...(config.cmd === undefined ? {} : { Cmd: config.cmd }),
    ...(config.workingDir === undefined ? {} : { WorkingDir: config.workingDir }),
  };
  const configuration = json({
    created: "1970-01-01T00:00:00Z",
    architecture: platform.split("-")[1],
    os: "linux",
    config: runtime,
    rootfs: { type: "layers", diff_ids: layers.map((layer) => `sha256:${layer.sha256}`) },
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: MEDIA.manifest,
    config: { mediaType: MEDIA.config, digest: `sha256:${configuration.sha256}`, size: configuration.size },
    layers: layers.map((layer) => ({ mediaType: MEDIA.layer, digest: `sha256:${layer.sha256}`, size: layer.size })),
  });
  return {
    image,
    digest: `sha256:${manifest.sha256}`,
    manifestType: MEDIA.manifest,
    blobs: [
      manifest,
      configuration,
      ...layers.map(({ sha256, size, path }) => ({ sha256, size, content: { file: path } })),
    ],
  };
}

/**
 * Writes images as one OCI image layout in a tar. Each image stands in the index twice, under `name:tag` and under
 * `name@digest`: containerd keeps images by name, and a pinned reference is looked up by the second.
 */
export async function writeLayout(images: Image[], file: string): Promise<void> {
  const [os, architecture] = platform.split("-");
  const manifests = images.flatMap((image) => {
    const manifest = image.blobs.find((blob) => `sha256:${blob.sha256}` === image.digest);
    if (manifest === undefined) throw new Error(`${image.image.name}: the manifest is not among its blobs`);
    const base = { mediaType: image.manifestType, digest: image.digest, size: manifest.size };
    const { name, tag } = image.image;
    return [
      { [NAME]: `${name}:${tag}`, "org.opencontainers.image.ref.name": tag },
      { [NAME]: `${name}@${image.digest}`, "org.opencontainers.image.ref.name": image.digest },
    ].map((annotations) => ({ ...base, annotations, platform: { architecture, os } }));
  });
  const writer = new TarWriter(file);
  await writer.add({ name: "blobs/", type: "directory" });
  await writer.add({ name: "blobs/sha256/", type: "directory" });
  const blobs = new Map(images.flatMap((image) => image.blobs).map((blob) => [blob.sha256, blob]));
  for (const [digest, { content }] of [...blobs].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const name = `blobs/sha256/${digest}`;
    if ("bytes" in content) await writer.add({ name }, content.bytes);
    else await writer.addFile({ name }, content.file);
  }
  await writer.add({ name: "index.json" }, JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.index, manifests }));
  await writer.add({ name: "oci-layout" }, JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  await writer.close();
}

/** The annotation by which containerd's importer names an image. */
const NAME = "io.containerd.image.name";

/** A JSON document as a blob. */
export function json(value: unknown): Blob {
  const bytes = Buffer.from(JSON.stringify(value));
  return { sha256: sha256(bytes), size: bytes.length, content: { bytes } };
}
