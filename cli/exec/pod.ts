import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { buffer } from "node:stream/consumers";
import type { Login } from "../kube";
import { WebSocketClient } from "./websocket";

/** Where a command runs. */
export interface Place {
  namespace: string;
  pod: string;
  container: string;
}

/** A command that runs in a pod. */
export interface PodCommand {
  /** Ending it ends the command's standard input. */
  stdin: Writable;
  stdout: Readable;
  /** Resolves with the exit code and what was said on standard error; rejects where the connection broke. */
  ended: Promise<{ code: number; stderr: string }>;
}

/** Kubernetes' streams in one connection, each message led by its number; the fifth version can end standard input. */
const protocol = "v5.channel.k8s.io";
const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, close: 255 } as const;
const frame = 32 * 1024;

interface Status {
  status?: string;
  message?: string;
  reason?: string;
  details?: { causes?: { reason?: string; message?: string }[] };
}

/**
 * Starts a command in a pod by the API server, as `kubectl exec` does. What is secret belongs onto its standard input: the
 * words of the command are in the API server's audit log.
 */
export async function startInPod(login: Login, place: Place, command: string[]): Promise<PodCommand> {
  const query = new URLSearchParams({ container: place.container, stdin: "true", stdout: "true", stderr: "true" });
  for (const word of command) query.append("command", word);
  const path = `/api/v1/namespaces/${place.namespace}/pods/${place.pod}/exec?${query.toString()}`;

  const link: { socket?: WebSocketClient } = {};
  let stderr = "";
  let status: Status | undefined;
  let settle: { resolve(end: { code: number; stderr: string }): void; reject(error: Error): void };
  const ended = new Promise<{ code: number; stderr: string }>((resolve, reject) => (settle = { resolve, reject }));
  ended.catch(() => undefined); // whoever reads the output only must not end the process by that

  const stdout = new Readable({ highWaterMark: 1 << 18, read: () => link.socket?.resume() });
  const handlers = {
    message(data: Buffer): boolean {
      const content = data.subarray(1);
      if (data[0] === channels.stdout) return content.length === 0 || stdout.push(content);
      if (data[0] === channels.stderr && stderr.length < 100_000) stderr += content.toString("utf8");
      if (data[0] === channels.error) status = JSON.parse(content.toString("utf8")) as Status;
      return true;
    },
    closed(error?: Error): void {
      if (status === undefined) {
        const broken = error ?? new Error(`the connection to ${place.namespace}/${place.pod} broke`);
        stdout.destroy(broken);
        settle.reject(broken);
        return;
      }
      stdout.push(null);
      settle.resolve({ code: codeOf(status), stderr: stderr + (codeOf(status) === 255 ? (status.message ?? "") : "") });
    },
  };
  const open = await WebSocketClient.open(login, path, protocol, handlers);
  link.socket = open;
  const stdin = new Writable({
    highWaterMark: 1 << 18,
    write(chunk: Buffer, _encoding, done) {
      sendAll(open, chunk).then(() => done(), done);
    },
    final(done) {
      open.send(Buffer.from([channels.close, channels.stdin])).then(() => done(), done);
    },
  });
  stdin.on("error", () => undefined); // a command that ended before its input did says why by its exit code
  return { stdin, stdout, ended };
}

async function sendAll(socket: WebSocketClient, chunk: Buffer): Promise<void> {
  for (let at = 0; at < chunk.length; at += frame) {
    await socket.send(Buffer.concat([Buffer.from([channels.stdin]), chunk.subarray(at, at + frame)]));
  }
}

/** The command's exit code; 255 where it never ran. */
function codeOf(status: Status): number {
  if (status.status === "Success") return 0;
  const exit = status.details?.causes?.find(({ reason }) => reason === "ExitCode")?.message;
  return exit === undefined ? 255 : Number(exit);
}

/** A command that said no. */
export class CommandError extends Error {
  constructor(
    readonly code: number,
    readonly stderr: string,
    what: string,
  ) {
    super(`${what} ended with ${code}: ${stderr.trim().slice(-1500)}`);
  }
}

/** Runs a command to its end, with a text or a stream as its input. @throws CommandError where it says no */
export async function runInPod(
  login: Login,
  place: Place,
  command: string[],
  input?: string | Readable,
): Promise<Buffer> {
  const running = await startInPod(login, place, command);
  const output = buffer(running.stdout);
  output.catch(() => undefined);
  if (input instanceof Readable)
    await pipeline(input, running.stdin).catch(async (error: Error) => rethrow(error, running));
  else running.stdin.end(input ?? "");
  const { code, stderr } = await running.ended;
  if (code !== 0) throw new CommandError(code, stderr, command[0] ?? "");
  return output;
}

/** A command that ends early closes its input; then its own words say more than the broken pipe. */
async function rethrow(error: Error, running: PodCommand): Promise<void> {
  const end = await Promise.race([running.ended.catch(() => undefined), wait(2000)]);
  if (!end || end.code === 0) throw error;
}

const wait = (ms: number): Promise<undefined> => new Promise((resolve) => setTimeout(resolve, ms, undefined));
