import { z } from "zod";

/** A time in hours or days. */
const age = (text: string): boolean => /^[1-9]\d*(h|d)$/.test(text);

/** Backups of a stack: what can not be made anew from the repository. */
export const backupSchema = z
  .strictObject({
    store: z
      .string()
      .regex(/^(\/[^\0]*|s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/[^\0]*)?)$/, {
        error: "must be an absolute folder such as /mnt/backups, or a bucket such as s3://backups/groundwork",
      })
      .optional()
      .describe(
        "Where backups go: a folder of the computer that takes them, or a bucket outside the cluster. Default: the folder backups of the state directory.",
      ),
    endpoint: z
      .url({ protocol: /^https?$/, error: "must be a URL such as https://fsn1.your-objectstorage.com" })
      .optional()
      .describe("S3 API that the bucket is reached at, of any maker. Default: Amazon's for the region."),
    region: z
      .string()
      .default("us-east-1")
      .describe("Region that requests to the bucket are signed for. Default: us-east-1."),
    maxAge: z
      .string()
      .refine(age, { error: "must be a time such as 26h or 7d" })
      .default("26h")
      .describe("Age of the newest backup beyond which doctor warns, where the stack is protected. Default: 26h."),
    keep: z
      .strictObject({
        daily: z.int().min(1).max(366).default(7).describe("Days of which the newest backup is kept. Default: 7."),
        weekly: z.int().min(0).max(520).default(4).describe("Weeks of which the newest backup is kept. Default: 4."),
        monthly: z
          .int()
          .min(0)
          .max(120)
          .default(12)
          .describe("Months of which the newest backup is kept. Default: 12."),
      })
      .prefault({})
      .describe("Which backups stay when another one was taken."),
  })
  .prefault({});

export type BackupSettings = z.infer<typeof backupSchema>;

/** A stack that can take the place of another one. */
export const standbySchema = z
  .strictObject({
    of: z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]*$/, { error: "must be the name of a stack" })
      .describe("The stack whose backups this one is kept up to date from."),
    promoted: z
      .boolean()
      .default(false)
      .describe(
        "This stack has taken the other one's place and serves; `npm run standby -- promote` sets it. Default: false.",
      ),
  })
  .optional();

export type StandbySettings = z.infer<typeof standbySchema>;

/** Whether the stack serves: it is nobody's standby, or has taken the other's place. */
export const serves = (standby: StandbySettings): boolean => standby === undefined || standby.promoted;

/** Seconds of a time such as 26h or 7d. */
export const seconds = (time: string): number => Number.parseInt(time, 10) * (time.endsWith("d") ? 86_400 : 3600);
