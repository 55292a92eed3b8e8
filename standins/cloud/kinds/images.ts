import { CloudError } from "../backend";
import { type Core, job } from "../core";
import { invalid } from "../errors";
import * as input from "../input";
import type { Answer, KindApi } from "../kind";
import type { Image, Server } from "../model";
import { choose, serverTypes } from "../catalogue";

/** How a snapshot or backup is shown. System images are entries of the catalogue. */
export function viewImage(image: Image): object {
  const { name: _, ...rest } = image;
  return { ...rest, name: null, rapid_deploy: false, deprecated: null, deleted: null };
}

const createImage = job<{ image: number; server: number }>("create-image", async (core, { image, server }) => {
  const made = await core.backend.createImage?.(server, image);
  const object = core.state.get("images", image);
  object.status = "available";
  object.image_size = made?.sizeGb ?? 1;
});

/** Action `create_image` of a server. */
export function snapshot(core: Core, server: Server, body: input.Body): Answer {
  core.mustBeFree("servers", server.id);
  const type = input.oneOf(body, "type", ["snapshot", "backup"], "snapshot");
  if (type === "backup" && server.backup_window === null) {
    throw new CloudError("service_error", "backups are not enabled for the server");
  }
  const base = core.base("images", `image-${core.state.nextId()}`, input.labels(body));
  core.state.add("images", {
    ...base,
    type,
    status: "creating",
    description: input.optionalText(body, "description") ?? server.name,
    image_size: null,
    disk_size: server.primary_disk_size,
    created_from: { id: server.id, name: server.name },
    bound_to: type === "backup" ? server.id : null,
    os_flavor: "debian",
    os_version: null,
    architecture: choose(serverTypes, server.server_type, "server_type").architecture,
    protection: { delete: false },
  });
  const action = core.start({
    command: "create_image",
    on: [
      ["servers", server.id],
      ["images", base.id],
    ],
    job: createImage.with({ image: base.id, server: server.id }),
  });
  return { status: 201, action, more: { image: viewImage(core.state.get("images", base.id)) } };
}

const setProtection = job<{ image: number; value: boolean }>("image-protection", async (core, { image, value }) => {
  core.state.get("images", image).protection.delete = value;
});

export const images: KindApi<"images"> = {
  kind: "images",
  view: (_, image) => viewImage(image),
  update(_, image, body) {
    image.description = input.optionalText(body, "description") ?? image.description;
    const type = input.optionalText(body, "type");
    if (type !== undefined && type !== "snapshot") throw invalid("type", "must be snapshot");
    if (type === "snapshot") Object.assign(image, { type, bound_to: null });
  },
  async remove(core, image) {
    await core.backend.deleteImage?.(image.id);
    for (const s of core.state.all("servers")) if (s.image === image.id) s.image = null;
    core.state.remove("images", image.id);
  },
  actions: {
    change_protection(core, image, body) {
      if (image.type !== "snapshot") throw new CloudError("unsupported_error", "only snapshots can be protected");
      const value = input.boolean(body, "delete", image.protection.delete);
      const done = setProtection.with({ image: image.id, value });
      return {
        status: 201,
        action: core.start({ command: "change_protection", on: [["images", image.id]], job: done }),
      };
    },
  },
};
