import { z } from "zod";

/** What the cloud that the machines stand in gives to the cluster. Of no effect where the target is no cloud. */
export const cloudSchema = z
  .strictObject({
    volumes: z
      .strictObject({
        enabled: z
          .boolean()
          .default(true)
          .describe("Let claims of storage class hcloud-volumes become volumes of the cloud. Default: true."),
        default: z
          .boolean()
          .default(false)
          .describe("Make it the class of claims that name none, in place of the node's own disk. Default: false."),
        encrypted: z
          .boolean()
          .default(false)
          .describe("Encrypt them with LUKS: storage class hcloud-volumes-encrypted. Default: false."),
      })
      .prefault({})
      .describe("Volumes of the cloud."),
  })
  .prefault({});

export type CloudSettings = z.infer<typeof cloudSchema>;
