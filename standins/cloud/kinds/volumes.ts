import { CloudError, type VolumeSpec } from "../backend";
import { choose, locations } from "../catalogue";
import { type Core, job } from "../core";
import { invalid } from "../errors";
import * as input from "../input";
import type { Answer, KindApi } from "../kind";
import type { Volume } from "../model";

type Id = { id: number } & Record<string, unknown>;

const spec = ({ id, name, size, format }: Volume): VolumeSpec => ({ id, name, size, ...(format ? { format } : {}) });

const createVolume = job<Id>("create-volume", async (core, { id }) => {
  const volume = core.state.get("volumes", id);
  await core.backend.createVolume(spec(volume));
  volume.status = "available";
});

export const attachVolume = job<Id & { server: number }>("attach-volume", async (core, { id, server }) => {
  const volume = core.state.get("volumes", id);
  core.state.get("servers", server);
  const { linuxDevice } = await core.backend.attachVolume(spec(volume), server);
  Object.assign(volume, { server, linux_device: linuxDevice });
});

const detachVolume = job<Id>("detach-volume", async (core, { id }) => {
  await core.backend.detachVolume(id);
  core.state.get("volumes", id).server = null;
});

const resizeVolume = job<Id & { size: number }>("resize-volume", async (core, { id, size }) => {
  await core.backend.resizeVolume(id, size);
  core.state.get("volumes", id).size = size;
});

const protect = job<Id & { value: boolean }>("volume-protection", async (core, { id, value }) => {
  core.state.get("volumes", id).protection.delete = value;
});

/** The server that a volume shall be attached to; throws where it can't be. */
function serverFor(core: Core, id: number, location: string): number {
  const server = core.state.find("servers", id);
  if (!server) throw invalid("server", `there is no server ${id}`);
  if (server.location !== location) throw invalid("server", `is in ${server.location} and the volume in ${location}`);
  if (core.state.all("volumes").filter((v) => v.server === id).length >= 16) {
    throw new CloudError("resource_limit_exceeded", "a server has 16 volumes at most");
  }
  return id;
}

function create(core: Core, body: input.Body): Answer {
  const size = input.integer(body, "size", 10, 10_240);
  const server = input.optionalId(body, "server");
  const named = input.idOrName(body, "location");
  if (server === undefined && named === undefined) throw invalid("location", "is required without a server");
  const owner = server === undefined ? undefined : core.state.find("servers", server);
  if (server !== undefined && !owner) throw invalid("server", `there is no server ${server}`);
  const location = owner?.location ?? choose(locations, named, "location").name;
  const format = input.optionalText(body, "format") === undefined ? null : input.oneOf(body, "format", ["ext4", "xfs"]);
  if (server !== undefined) serverFor(core, server, location);
  if (core.faults.isSoldOut("volume", location)) {
    throw new CloudError("no_space_left_in_location", `there is no volume space left in ${location}`);
  }
  const base = core.base("volumes", input.name(body, "volume"), input.labels(body));
  core.state.add("volumes", {
    ...base,
    size,
    location,
    server: null,
    status: "creating",
    format,
    linux_device: `/dev/disk/by-id/scsi-0HC_Volume_${base.id}`,
    protection: { delete: false },
  });
  const action = core.start({
    command: "create_volume",
    on: [["volumes", base.id]],
    job: createVolume.with({ id: base.id }),
  });
  const next =
    server === undefined
      ? []
      : [
          core.start({
            command: "attach_volume",
            on: [
              ["volumes", base.id],
              ["servers", server],
            ],
            job: attachVolume.with({ id: base.id, server }),
            after: action,
          }),
        ];
  return { status: 201, object: base.id, action, nextActions: next };
}

export const volumes: KindApi<"volumes"> = {
  kind: "volumes",
  view: (_, volume) => ({ ...volume, location: choose(locations, volume.location, "location") }),
  create,
  async remove(core, volume) {
    core.mustBeFree("volumes", volume.id);
    if (volume.server !== null) throw new CloudError("service_error", "the volume is still attached to a server");
    await core.backend.deleteVolume(volume.id);
    core.state.remove("volumes", volume.id);
  },
  actions: {
    attach(core, volume, body) {
      const id = input.id(body, "server");
      core.mustBeFree("volumes", volume.id);
      if (volume.server !== null) throw new CloudError("volume_already_attached", "the volume is already attached");
      const server = serverFor(core, id, volume.location);
      core.mustBeFree("servers", server);
      const done = attachVolume.with({ id: volume.id, server });
      return {
        status: 201,
        action: core.start({
          command: "attach_volume",
          on: [
            ["volumes", volume.id],
            ["servers", server],
          ],
          job: done,
        }),
      };
    },
    detach(core, volume) {
      core.mustBeFree("volumes", volume.id);
      if (volume.server === null) throw new CloudError("service_error", "the volume is not attached");
      core.mustBeFree("servers", volume.server);
      const on: [["volumes", number], ["servers", number]] = [
        ["volumes", volume.id],
        ["servers", volume.server],
      ];
      return {
        status: 201,
        action: core.start({ command: "detach_volume", on, job: detachVolume.with({ id: volume.id }) }),
      };
    },
    resize(core, volume, body) {
      core.mustBeFree("volumes", volume.id);
      const size = input.integer(body, "size", 10, 10_240);
      if (size <= volume.size) throw invalid("size", "a volume can only grow");
      const done = resizeVolume.with({ id: volume.id, size });
      return { status: 201, action: core.start({ command: "resize_volume", on: [["volumes", volume.id]], job: done }) };
    },
    change_protection(core, volume, body) {
      const done = protect.with({ id: volume.id, value: input.boolean(body, "delete", volume.protection.delete) });
      return {
        status: 201,
        action: core.start({ command: "change_protection", on: [["volumes", volume.id]], job: done }),
      };
    },
  },
  filters: { status: (volume, values) => values.includes(volume.status) },
};
