import { z } from "zod";

/** What the API is given. */
export const apiSchema = z
  .strictObject({
    replicas: z.int().min(1).max(50).default(1).describe("Pods that serve the API. Default: 1."),
  })
  .prefault({});

export type ApiSettings = z.infer<typeof apiSchema>;
