/** The database could not do the work in time. The client may come back: answered with 503 and Retry-After. */
export class Unavailable extends Error {}

interface CodedError extends Error {
  code?: string;
  errors?: CodedError[];
}

/** What an error says about the connection and about trying again. */
export interface Verdict {
  /** The same work may succeed on another connection. */
  transient: boolean;
  /** The server rolled the work back, or never took it: repeating it cannot do it twice. */
  undone: boolean;
  /** The connection must not be used again. */
  connectionLost: boolean;
  /** SQLSTATE, errno name, or a word of ours; a metric's label, so the set is small. */
  reason: string;
}

/** Errno names of a connection that cannot be made or that broke. */
const NETWORK = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
]);

/** SQLSTATEs of PostgreSQL's appendix A that end the session: shutdown, crash, start-up, refused or lost connections. */
const SESSION_ENDED = new Set([
  "57P01",
  "57P02",
  "57P03",
  "57P05",
  "53300",
  "08000",
  "08001",
  "08003",
  "08004",
  "08006",
]);

/** The transaction was rolled back by the server: serialization failure, deadlock, lock not available. */
const ROLLED_BACK = new Set(["40001", "40P01", "55P03"]);

/** Messages of `pg` and `pg-pool` that carry no code. */
const MESSAGES: [RegExp, string][] = [
  [/^timeout exceeded when trying to connect/, "pool-timeout"],
  [/^Connection terminated/, "terminated"],
  [/^Client has encountered a connection error/, "terminated"],
  [/^Client was closed and is not queryable/, "terminated"],
  [/^Query read timeout/, "query-timeout"],
  [/^Cannot use a pool after calling end/, "pool-ended"],
  [/^The server does not support SSL/, "no-tls"],
];

/** Judges an error of the driver. Unknown errors are not transient. */
export function judge(error: unknown): Verdict {
  const known = error as CodedError;
  const code = known.code ?? known.errors?.find((one) => one.code)?.code ?? "";
  if (NETWORK.has(code)) return { transient: true, undone: false, connectionLost: true, reason: code };
  if (SESSION_ENDED.has(code)) return { transient: true, undone: false, connectionLost: true, reason: code };
  // read_only_sql_transaction: the server was demoted to a standby and this connection still leads to it.
  if (code === "25006") return { transient: true, undone: true, connectionLost: true, reason: code };
  if (ROLLED_BACK.has(code)) return { transient: true, undone: true, connectionLost: false, reason: code };
  // invalid_password, invalid_authorization: a rotation that has reached the server but not our files, or the reverse.
  if (code === "28P01" || code === "28000") {
    return { transient: true, undone: true, connectionLost: true, reason: code };
  }
  // query_canceled is what statement_timeout raises.
  if (code === "57014") return { transient: true, undone: true, connectionLost: false, reason: code };
  for (const [pattern, reason] of MESSAGES) {
    if (pattern.test(known.message ?? "")) return { transient: true, undone: false, connectionLost: true, reason };
  }
  return { transient: false, undone: false, connectionLost: false, reason: code || "unknown" };
}
