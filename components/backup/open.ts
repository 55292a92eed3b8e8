import { FolderStore } from "./folder-store";
import { S3Store } from "./s3-store";
import { type BackupStore, StoreError } from "./store";

/** How a bucket is reached. */
export interface BucketOptions {
  /** URL of the S3 API. @default Amazon's for the region */
  endpoint?: string;
  /** @default "us-east-1" */
  region?: string;
}

/** Opens the store that a setting or an option names. @throws StoreError where it names none */
export function openStore(place: string, options: BucketOptions = {}): BackupStore {
  const bucket = /^s3:\/\/([^/]+)(?:\/(.*))?$/.exec(place);
  if (bucket) {
    return new S3Store({ bucket: bucket[1]!, prefix: bucket[2] ?? "", ...options });
  }
  if (/^[a-z0-9]+:\/\//i.test(place))
    throw new StoreError(`${place} is no store: give a folder, or s3://BUCKET/PREFIX`);
  return new FolderStore(place);
}
