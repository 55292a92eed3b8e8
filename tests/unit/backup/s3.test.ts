import * as assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { openStore } from "../../../components/backup";
import { S3Store } from "../../../components/backup/s3-store";
import { sha256, sign } from "../../../components/backup/sign";

/** The examples of AWS's own page on the algorithm, with the signatures that stand there. */
describe("requests to a bucket are signed as AWS's examples are", () => {
  const keys = { accessKey: "AKIAIOSFODNN7EXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" };
  const now = new Date("2013-05-24T00:00:00Z");
  const signature = (method: string, path: string, headers: Record<string, string>, body = ""): string => {
    const url = new URL(`https://examplebucket.s3.amazonaws.com${path}`);
    const { authorization = "" } = sign({ method, url, headers, bodySha256: sha256(body) }, keys, "us-east-1", now);
    return authorization.slice(authorization.lastIndexOf("=") + 1);
  };
  it("GET of an object", () => {
    const wanted = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
    assert.equal(signature("GET", "/test.txt", { range: "bytes=0-9" }), wanted);
  });
  it("PUT of an object", () => {
    const headers = { date: "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY" };
    const wanted = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd";
    assert.equal(signature("PUT", "/test%24file.text", headers, "Welcome to Amazon S3."), wanted);
  });
  it("GET of a list", () => {
    const wanted = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7";
    assert.equal(signature("GET", "/?max-keys=2&prefix=J", {}), wanted);
  });
});

/** A test double of S3's API: enough of it for a store, with lists of two, which fails now and then where it is told to. */
class Bucket {
  readonly objects = new Map<string, Buffer>();
  readonly uploads = new Map<string, Buffer[]>();
  fail: number[] = [];
  requests = 0;
  private readonly server = http.createServer((request, response) => {
    void this.answer(request).then(([status, body, headers]) => {
      response.writeHead(status, headers);
      response.end(body);
    });
  });

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }
  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private async answer(request: http.IncomingMessage): Promise<[number, string | Buffer, Record<string, string>]> {
    this.requests += 1;
    const body = await buffer(request);
    const url = new URL(request.url ?? "/", "http://bucket");
    const status = this.fail.shift();
    if (status) return [status, `<Error><Code>Slow</Code><Message>told &amp; failed</Message></Error>`, {}];
    assert.equal(request.headers["x-amz-content-sha256"], sha256(body));
    assert.match(request.headers.authorization ?? "", /^AWS4-HMAC-SHA256 Credential=me\/\d{8}\/eu\/s3\/aws4_request,/);
    assert.ok(!url.search.includes("+"), url.search);
    const key = decodeURIComponent(url.pathname.replace(/^\/bucket\/?/, ""));
    const query = url.searchParams;
    const upload = query.get("uploadId");
    const parts = upload === null ? undefined : this.uploads.get(upload);
    if (request.method === "PUT" && parts) {
      parts[Number(query.get("partNumber")) - 1] = body;
      return [200, "", { etag: `"${createHash("md5").update(body).digest("hex")}"` }];
    }
    if (request.method === "PUT") this.objects.set(key, body);
    else if (request.method === "POST" && query.has("uploads")) {
      this.uploads.set("one", []);
      return [200, "<InitiateMultipartUploadResult><UploadId>one</UploadId></InitiateMultipartUploadResult>", {}];
    } else if (request.method === "POST" && parts) {
      this.objects.set(key, Buffer.concat(parts));
      this.uploads.delete(upload!);
      return [200, "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>", {}];
    } else if (request.method === "DELETE") {
      if (upload) this.uploads.delete(upload);
      else this.objects.delete(key);
      return [204, "", {}];
    } else if (query.has("list-type")) return [200, this.list(query), {}];
    else {
      const found = this.objects.get(key);
      return found ? [200, found, {}] : [404, "<Error><Code>NoSuchKey</Code></Error>", {}];
    }
    return [200, "", {}];
  }

  private list(query: URLSearchParams): string {
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(query.get("prefix") ?? "")).sort();
    const from = Number(query.get("continuation-token") ?? "0");
    const escape = (key: string) => key.replace("&", "&amp;");
    const entries = keys
      .slice(from, from + 2)
      .map((key) => `<Contents><Key>${escape(key)}</Key><Size>${this.objects.get(key)!.length}</Size></Contents>`);
    const more = from + 2 < keys.length ? `<NextContinuationToken>${from + 2}</NextContinuationToken>` : "";
    return `<ListBucketResult>${entries.join("")}${more}</ListBucketResult>`;
  }
}

describe("a bucket as a store of backups", function () {
  this.timeout(30_000);
  const bucket = new Bucket();
  let store: S3Store;

  before(async () => {
    const endpoint = await bucket.start();
    const keys = { accessKey: "me", secretKey: "secret" };
    store = new S3Store({ bucket: "bucket", prefix: "all/of it/", endpoint, region: "eu", keys });
  });
  after(() => bucket.stop());

  it("puts, gets, lists page by page and removes", async () => {
    for (const name of ["a", "b", "c & d", "e", "f"]) {
      assert.equal(await store.put(`prod/1/${name}`, Readable.from([Buffer.from(name)])), name.length);
    }
    assert.ok(bucket.objects.has("all/of it/prod/1/c & d"));
    assert.equal(await text(await store.get("prod/1/c & d")), "c & d");
    await store.remove("prod/1/e");
    assert.deepEqual(
      (await store.list("prod/")).map(({ key, bytes }) => [key, bytes]),
      ["a", "b", "c & d", "f"].map((name) => [`prod/1/${name}`, name.length]),
    );
    await assert.rejects(store.get("prod/1/e"), /s3:\/\/bucket\/all\/of it has no all\/of it\/prod\/1\/e/);
  });

  it("sends what is long in parts, and gives an upload up whose source breaks off", async () => {
    const content = randomBytes(40 * 1024 * 1024);
    const chunks = Array.from({ length: 40 }, (_, i) => content.subarray(i << 20, (i + 1) << 20));
    assert.equal(await store.put("long", Readable.from(chunks)), content.length);
    assert.ok(bucket.objects.get("all/of it/long")!.equals(content));
    const broken = Readable.from(
      (function* () {
        yield* chunks;
        throw new Error("the dump failed");
      })(),
    );
    await assert.rejects(store.put("broken", broken), /the dump failed/);
    assert.ok(!bucket.objects.has("all/of it/broken"));
    assert.equal(bucket.uploads.size, 0);
  });

  it("tries again what may pass, and says what does not", async () => {
    bucket.fail = [503, 500];
    await store.put("again", Readable.from([Buffer.from("x")]));
    assert.ok(bucket.objects.has("all/of it/again"));
    bucket.fail = [403];
    const before = bucket.requests;
    await assert.rejects(store.list(""), /refuses the keys of the environment \(Slow\): told & failed/);
    assert.equal(bucket.requests, before + 1);
  });

  it("is opened by its name, and wants its keys from the environment", async () => {
    const opened = openStore("s3://backups/groundwork/", { endpoint: "http://127.0.0.1:1" });
    assert.equal(opened.place, "s3://backups/groundwork");
    const { AWS_ACCESS_KEY_ID: kept, ...rest } = process.env;
    process.env = rest;
    try {
      await assert.rejects(opened.list(""), /needs its keys in AWS_ACCESS_KEY_ID/);
    } finally {
      if (kept !== undefined) process.env["AWS_ACCESS_KEY_ID"] = kept;
    }
  });
});
