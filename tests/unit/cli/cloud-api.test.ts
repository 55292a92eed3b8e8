import * as assert from "node:assert/strict";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { CloudApi, CloudApiError } from "../../../cli/cloud/api";

type Answer = { status?: number; body: unknown };

/** A server that gives prepared answers in turn and keeps what it was asked. */
async function prepared(...answers: Answer[]) {
  const asked: { method?: string; url?: string; token?: string; body: string }[] = [];
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method, url, headers } = request;
      asked.push({ method, url, token: headers.authorization, body: Buffer.concat(chunks).toString() });
      const { status = 200, body } = answers[Math.min(asked.length, answers.length) - 1]!;
      response.writeHead(status, { "content-type": "application/json" });
      response.end(typeof body === "string" ? body : JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const waits: number[] = [];
  const api = new CloudApi(
    { token: "abc", endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/` },
    { sleep: async (ms) => void waits.push(ms), patience: 5 },
  );
  return { api, asked, waits, close: () => new Promise((resolve) => server.close(resolve)) };
}

const wrong = (code: string, status: number): Answer => ({
  status,
  body: { error: { code, message: `it is ${code}` } },
});
const code = (expected: string) => (error: unknown) => error instanceof CloudApiError && error.code === expected;

describe("the client of the cloud's API", () => {
  it("reads all pages of a list", async () => {
    const page = (id: number, next_page: number | null): Answer => ({
      body: { servers: [{ id, name: `s${id}` }], meta: { pagination: { next_page } } },
    });
    const { api, asked, close } = await prepared(page(1, 2), page(2, 3), page(3, null));
    const found = await api.list("/servers", "servers", { label_selector: "a=b" });
    assert.deepEqual(
      found.map(({ id }) => id),
      [1, 2, 3],
    );
    assert.deepEqual(
      asked.map(({ url }) => url),
      [1, 2, 3].map((number) => `/v1/servers?label_selector=a%3Db&page=${number}&per_page=50`),
    );
    assert.equal(asked[0]?.token, "Bearer abc");
    await close();
  });

  it("waits out the rate limit and objects that are being changed, for changes too", async () => {
    const limited = wrong("rate_limit_exceeded", 429);
    const { api, asked, waits, close } = await prepared(limited, limited, wrong("locked", 423), {
      status: 204,
      body: "",
    });
    await api.change("DELETE", "/servers/1");
    assert.equal(asked.length, 4);
    assert.ok(waits.length === 3 && waits.every((wait) => wait >= 1000), String(waits));
    await close();
  });

  it("asks again after a fault of the server's only where that is safe", async () => {
    const first = await prepared(wrong("service_error", 503), { body: { servers: [] } });
    assert.deepEqual(await first.api.list("/servers", "servers"), []);
    assert.equal(first.asked.length, 2);
    await first.close();
    const second = await prepared(wrong("service_error", 503));
    await assert.rejects(second.api.change("POST", "/servers", { name: "a" }), code("service_error"));
    assert.equal(second.asked.length, 1);
    await second.close();
  });

  it("does not ask again what is refused", async () => {
    const { api, asked, close } = await prepared(wrong("unauthorized", 401));
    await assert.rejects(api.get("/locations"), code("unauthorized"));
    assert.equal(asked.length, 1);
    await close();
  });

  it("follows actions, and tells why one failed", async () => {
    const action = (status: string, error: unknown = null): Answer => ({
      body: { action: { id: 7, command: "detach_volume", status, error } },
    });
    const good = await prepared(action("running"), action("running"), action("success"));
    await good.api.change("POST", "/volumes/1/actions/detach");
    assert.deepEqual(
      good.asked.map(({ method, url }) => `${method} ${url}`),
      ["POST /v1/volumes/1/actions/detach", "GET /v1/actions/7", "GET /v1/actions/7"],
    );
    await good.close();
    const bad = await prepared(action("running"), action("error", { code: "locked", message: "somebody was quicker" }));
    await assert.rejects(
      bad.api.change("POST", "/volumes/1/actions/detach"),
      /detach_volume failed: somebody was quicker/,
    );
    await bad.close();
  });

  it("takes what is gone for deleted", async () => {
    const { api, close } = await prepared(wrong("not_found", 404));
    await api.remove("/servers/1");
    await close();
  });

  it("says that nobody answers, and never the token", async () => {
    const { api, close } = await prepared({ body: {} });
    await close();
    await assert.rejects(api.get("/locations"), (error: Error) => {
      assert.match(error.message, /the cloud's API at http:.* does not answer: ECONNREFUSED/);
      assert.doesNotMatch(error.message, /abc/);
      return true;
    });
  });

  it("takes a page of a proxy's for an error", async () => {
    const { api, close } = await prepared({ status: 403, body: "<html>" });
    await assert.rejects(api.get("/locations"), /GET \/locations: status 403/);
    await close();
  });
});
