import { STATUS_CODES } from "node:http";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { Unavailable } from "./database/errors";

/** One thing wrong with the request: where (JSON pointer, or the query parameter's or header's name) and what. */
export interface Violation {
  in: "body" | "query" | "path" | "header";
  pointer: string;
  detail: string;
}

/** Body of every error answer: RFC 9457, media type `application/problem+json`. */
export interface ProblemBody {
  type: string;
  title: string;
  status: number;
  detail: string;
  instance: string;
  errors?: Violation[];
}

/** An error that is answered with its own status. `type` is the last part of the problem's URN. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    detail: string,
    readonly type?: string,
    readonly headers: Record<string, string> = {},
    readonly errors?: Violation[],
  ) {
    super(detail);
  }
}

/** JSON schema of {@link ProblemBody}, for the OpenAPI document. */
export const problemSchema = {
  $id: "Problem",
  type: "object",
  description: "An error, as RFC 9457 describes it.",
  required: ["type", "title", "status", "detail", "instance"],
  properties: {
    type: { type: "string", description: "A URN that names the kind of problem, or about:blank." },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string" },
    instance: { type: "string", description: "A URN with the request's id, which the logs carry too." },
    errors: {
      type: "array",
      items: {
        type: "object",
        required: ["in", "pointer", "detail"],
        properties: {
          in: { type: "string", enum: ["body", "query", "path", "header"] },
          pointer: { type: "string" },
          detail: { type: "string" },
        },
      },
    },
  },
} as const;

/** The problem's body as it goes out. */
export function problemBody(problem: Problem, requestId: string): ProblemBody {
  return {
    type: problem.type ? `urn:groundwork:problem:${problem.type}` : "about:blank",
    title: STATUS_CODES[problem.status] ?? "Error",
    status: problem.status,
    detail: problem.message,
    instance: `urn:groundwork:request:${requestId}`,
    ...(problem.errors ? { errors: problem.errors } : {}),
  };
}

interface SchemaError {
  instancePath?: string;
  keyword?: string;
  message?: string;
  params?: Record<string, unknown>;
}

const PARTS: Record<string, Violation["in"]> = { querystring: "query", params: "path", headers: "header" };

function violations(error: FastifyError): Violation[] {
  const part = PARTS[error.validationContext ?? ""] ?? "body";
  return ((error.validation ?? []) as SchemaError[]).map((one) => {
    const missing = one.keyword === "required" ? `/${String(one.params?.["missingProperty"])}` : "";
    const unknown = one.keyword === "additionalProperties" ? `/${String(one.params?.["additionalProperty"])}` : "";
    const detail = missing ? "is missing" : unknown ? "is not a known field" : (one.message ?? "is not valid");
    return { in: part, pointer: (one.instancePath ?? "") + missing + unknown, detail };
  });
}

/** Whatever was thrown, as a {@link Problem}. What is ours to fix says nothing about itself to the client. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof Unavailable) {
    return new Problem(503, "The database cannot be reached at the moment.", "database-unavailable", {
      "retry-after": "2",
    });
  }
  const known = error as FastifyError;
  if (known.validation) {
    return new Problem(400, "The request does not have the required form.", "validation", {}, violations(known));
  }
  const status = known.statusCode ?? 500;
  if (status >= 400 && status < 500) return new Problem(status, known.message);
  return new Problem(500, "Something went wrong on our side; the request's id finds it in the logs.");
}

/** Answers with the problem and logs what is ours to fix. */
export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = toProblem(error);
  if (problem.status === 500) request.log.error({ err: error }, "request failed");
  else if (problem.status === 503) request.log.warn({ err: error }, "database unavailable");
  return reply
    .code(problem.status)
    .headers(problem.headers)
    .type("application/problem+json")
    .serializer(JSON.stringify)
    .send(problemBody(problem, request.id));
}
