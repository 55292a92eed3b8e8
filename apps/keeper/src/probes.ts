import * as http from "node:http";

/** What a keeper says about itself. Never a secret: anyone who reaches the port may read it. */
export interface Self {
  ready: () => boolean;
  status: () => object;
}

/** Seconds without a turn of the loop after which the keeper counts as hung. */
const patience = 60;

/** Answers /healthz, /readyz and /status. `turned` is to be called at each turn of the loop. */
export function answerProbes(port: number, self: Self): { turned: () => void; server: http.Server } {
  let last = performance.now();
  const server = http.createServer((request, response) => {
    const answer = (ok: boolean, body: object): void => {
      response.writeHead(ok ? 200 : 503, { "content-type": "application/json" });
      response.end(`${JSON.stringify(body)}\n`);
    };
    const alive = performance.now() - last < patience * 1000;
    if (request.url === "/healthz") answer(alive, { alive });
    else if (request.url === "/readyz") answer(self.ready(), { ready: self.ready() });
    else if (request.url === "/status") answer(true, self.status());
    else response.writeHead(404).end();
  });
  server.listen(port);
  return { turned: () => (last = performance.now()), server };
}
