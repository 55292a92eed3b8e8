import { createHash, createHmac } from "node:crypto";

/** Who a request is from. */
export interface Keys {
  accessKey: string;
  secretKey: string;
}

/** A request as it is signed. */
export interface Signed {
  method: string;
  url: URL;
  /** Names in lower case. */
  headers: Record<string, string>;
  /** SHA-256 of the body, hex. */
  bodySha256: string;
}

export const sha256 = (content: Buffer | string): string => createHash("sha256").update(content).digest("hex");
const hmac = (key: Buffer | string, text: string): Buffer => createHmac("sha256", key).update(text).digest();

/** As the algorithm wants names and values: all but the unreserved characters of RFC 3986 in percent. */
const escaped = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);

/**
 * The headers of a request with a signature of AWS's, version 4, as S3 and everything that speaks its API takes it
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html). All headers that are given are signed.
 */
export function sign(request: Signed, keys: Keys, region: string, now = new Date()): Record<string, string> {
  const time = now.toISOString().replace(/[-:]|\.\d+/g, "");
  const day = time.slice(0, 8);
  const headers: Record<string, string> = {
    ...request.headers,
    host: request.url.host,
    "x-amz-content-sha256": request.bodySha256,
    "x-amz-date": time,
  };
  const names = Object.keys(headers).sort();
  const query = [...request.url.searchParams]
    .map(([name, value]) => `${escaped(name)}=${escaped(value)}`)
    .sort()
    .join("&");
  const canonical = [
    request.method,
    request.url.pathname,
    query,
    ...names.map((name) => `${name}:${headers[name]!.trim()}`),
    "",
    names.join(";"),
    request.bodySha256,
  ].join("\n");
  const scope = `${day}/${region}/s3/aws4_request`;
  const text = ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n");
  const key = [region, "s3", "aws4_request"].reduce(hmac, hmac(`AWS4${keys.secretKey}`, day));
  const signature = createHmac("sha256", key).update(text).digest("hex");
  const authorization = `AWS4-HMAC-SHA256 Credential=${keys.accessKey}/${scope},SignedHeaders=${names.join(";")},Signature=${signature}`;
  return { ...headers, authorization };
}

/** A query as it is signed: a blank is %20, which `URLSearchParams` would make a plus. */
export const queryOf = (query: Record<string, string>): string =>
  Object.entries(query)
    .map(([name, value]) => `${escaped(name)}=${escaped(value)}`)
    .join("&");

/** A key in a path: slashes stay. */
export const pathOf = (key: string): string => key.split("/").map(escaped).join("/");
