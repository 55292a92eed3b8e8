import { createHash } from "node:crypto";
import * as https from "node:https";
import type { StackReport } from "../../../stacks/report";
import type { RowFacts } from "../manifest";

/** Asks one of a stack's endpoints, sent to its ingress and checked against its authority. */
export function askEndpoint(report: StackReport, path: string): Promise<{ status: number; body: string }> {
  const url = new URL(path, report.endpoints["api"]);
  const options = {
    host: report.ingressAddress,
    servername: url.hostname,
    headers: { host: url.host, accept: "application/json" },
    path: `${url.pathname}${url.search}`,
    timeout: 10_000,
    ...(report.ca && { ca: report.ca }),
  };
  return new Promise((resolve, reject) => {
    const request = https.get(options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") });
      });
    });
    request.on("timeout", () => request.destroy(new Error("no answer in 10 s")));
    request.on("error", reject);
  });
}

/** A row as the API gives it, for the proof of a restore. Undefined where there is none, or the API does not answer. */
export async function readRow(report: StackReport): Promise<RowFacts | undefined> {
  try {
    const { status, body } = await askEndpoint(report, "/items?limit=1");
    const { items } = JSON.parse(body) as { items?: { id: string }[] };
    const id = items?.[0]?.id;
    if (status !== 200 || id === undefined) return undefined;
    const path = `/items/${id}`;
    const row = await askEndpoint(report, path);
    return row.status === 200 ? { path, sha256: digest(row.body) } : undefined;
  } catch {
    return undefined; // a stack whose API is away is backed up all the same, with one proof less
  }
}

/** Whether the API serves the row as it was. */
export async function servesRow(report: StackReport, row: RowFacts): Promise<boolean> {
  const { status, body } = await askEndpoint(report, row.path);
  return status === 200 && digest(body) === row.sha256;
}

const digest = (body: string): string => createHash("sha256").update(body).digest("hex");
