import * as fs from "node:fs";
import * as path from "node:path";
import { extract, pack } from "tar-stream";
import { cacheDir } from "../../../cli/paths";
import { MachineError, withLock } from "../nspawn/process";
import { dockerInput, inspect } from "./engine";
import type { ContainerSpec } from "./plan";

const repository = "groundwork/machine";

/** The image that a root filesystem becomes. */
export const imageName = (spec: Pick<ContainerSpec, "rootfsDigest">): string =>
  `${repository}:${spec.rootfsDigest.slice(0, 16)}`;

/**
 * Brings the root filesystem into the engine, once a digest: the same archive that machines of nspawn are made from, so that
 * nothing is pulled.
 */
export async function importImage(spec: ContainerSpec): Promise<string> {
  const image = imageName(spec);
  const once = async (): Promise<string> => {
    if (inspect("image", image)) return image;
    const archive = path.resolve(cacheDir(), spec.rootfs);
    if (!fs.existsSync(archive)) {
      throw new MachineError(`the root filesystem ${archive} is missing: npm run artifacts -- fetch rootfs`);
    }
    await dockerInput(withoutAttributes(archive), "import", "-", image);
    return image;
  };
  // Elsewhere there is no such lock; two imports at once only cost time.
  return process.platform === "linux" ? withLock("docker-image", once) : once();
}

/**
 * The archive without what an engine can't or need not unpack: access control lists, which it hands to the kernel in a form
 * that some kernels refuse, and devices, which every container gets of its own.
 */
function withoutAttributes(archive: string) {
  const [reader, writer] = [extract(), pack()];
  reader.on("entry", (header, content, next) => {
    if (header.type === "character-device" || header.type === "block-device") {
      content.on("end", next);
      content.resume();
      return;
    }
    const kept = Object.entries(header.pax ?? {}).filter(([key]) => !key.startsWith("SCHILY.xattr."));
    const pax = kept.length > 0 ? Object.fromEntries(kept) : null;
    content.pipe(writer.entry({ ...header, pax }, next));
  });
  reader.on("finish", () => writer.finalize());
  reader.on("error", (error) => writer.destroy(error));
  fs.createReadStream(archive)
    .on("error", (error) => writer.destroy(error))
    .pipe(reader);
  return writer;
}
