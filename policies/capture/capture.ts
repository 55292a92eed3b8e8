import { AsyncLocalStorage } from "node:async_hooks";
import * as pulumi from "@pulumi/pulumi";
import { Graph, GraphNode } from "./graph";
import { Mock, outputsOf } from "./mocks";
import { Frame, sourceOf } from "./source";
import { unwrap } from "./wire";

/** How to run a program for its graph. */
export interface CaptureOptions {
  project: string;
  stack: string;
  /** Stack configuration, keys with their namespace; values that are no strings are written as JSON. */
  config?: Record<string, unknown>;
  /** Keys of `config` whose values are secret. */
  secretConfig?: string[];
  /** Outputs that the program needs beyond those of the built-in mocks. */
  mock?: Mock;
  /** Answers of provider functions, by token; a call of any other token throws. */
  calls?: Record<string, (inputs: any) => Record<string, unknown>>;
  /** Run it as a preview does. @default false */
  preview?: boolean;
}

/** The part of a RegisterResourceRequest that is recorded. */
interface Request {
  getType(): string;
  getName(): string;
  getCustom(): boolean;
  getParent(): string;
  getObject(): { toJavaScript(): Record<string, unknown> } | undefined;
  getDependenciesList(): string[];
  getPropertydependenciesMap(): { entries(): Iterable<[string, { getUrnsList(): string[] }]> };
  getProvider(): string;
  getProtect(): boolean;
  getDeletedwith(): string;
  getAdditionalsecretoutputsList(): string[];
  getStacktrace(): { getFramesList(): { getPc(): Position | undefined }[] } | undefined;
}
interface Position {
  getUri(): string;
  getLine(): number;
}
type Callback = (error: Error | null, response?: { getUrn(): string }) => void;
interface Monitor {
  registerResource(request: Request, callback: Callback): Promise<void>;
}

const insideApply = new AsyncLocalStorage<boolean>();

/**
 * Runs a whole program against mocks and records every resource that it registers, with what the engine is told of it: parent,
 * dependencies, provider, protection, and which values are secret. Programs are run one after the other in one process.
 *
 * @throws what the program throws, and what a resource of it could not be registered for
 */
export async function captureProgram(main: () => Promise<unknown>, options: CaptureOptions): Promise<Graph> {
  const nodes: GraphNode[] = [];
  const failures: Error[] = [];
  const additional = new Map<string, string[]>();
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => ({
        id: `${name}-id`,
        state: withSecrets(outputsOf({ type, name, inputs }, options.mock), additional.get(`${type}::${name}`)),
      }),
      call: ({ token, inputs }) => {
        const answer = options.calls?.[token];
        if (!answer) throw unanswered(token);
        return answer(inputs);
      },
    },
    options.project,
    options.stack,
    options.preview ?? false,
  );
  const config = Object.entries(options.config ?? {}).map(([key, value]) => [
    key,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  pulumi.runtime.setAllConfig(Object.fromEntries(config) as Record<string, string>, options.secretConfig);

  const monitor = pulumi.runtime.getMonitor() as unknown as Monitor;
  const register = monitor.registerResource.bind(monitor);
  monitor.registerResource = (request, callback) => {
    additional.set(`${request.getType()}::${request.getName()}`, secretOutputs(request));
    const inApply = insideApply.getStore() === true;
    return register(request, (error, response) => {
      if (error) failures.push(new Error(`${request.getType()} "${request.getName()}": ${error.message}`));
      else nodes.push(toNode(request, response!.getUrn(), inApply));
      callback(error, response);
    });
  };

  const restore = watchApply();
  const lost = catchLostRejections();
  try {
    const run = async () => {
      await pulumi.runtime.runInPulumiStack(main);
      await pulumi.runtime.disconnect();
      // A rejection that nobody holds is told only when the work of this turn is done.
      await new Promise((resolve) => setImmediate(resolve));
    };
    await Promise.race([run(), lost.rejection]);
  } finally {
    restore();
    lost.stop();
  }
  if (failures.length > 0) throw failures[0]!;
  return new Graph(nodes);
}

/** The SDK shows the program the details of an RPC's error, and not its message. */
function unanswered(token: string): Error {
  const details = `the program called ${token}, which the test has no answer for`;
  return Object.assign(new Error(details), { details });
}

/** Outputs that are secret: those that the program names, and all that a command says when it was told a secret. */
function secretOutputs(request: Request): string[] {
  const { secrets } = unwrap(request.getObject()?.toJavaScript() ?? {});
  const said = request.getType().startsWith("command:") && secrets.length > 0 ? ["stdout", "stderr"] : [];
  return [...request.getAdditionalsecretoutputsList(), ...said];
}

/** The engine turns these outputs into secrets; a mock has to do it itself. */
function withSecrets(state: Record<string, unknown>, keys: string[] = []): Record<string, unknown> {
  const marked = keys.filter((key) => state[key] !== undefined).map((key) => [key, pulumi.secret(state[key])]);
  return { ...state, ...(Object.fromEntries(marked) as Record<string, unknown>) };
}

function toNode(request: Request, urn: string, inApply: boolean): GraphNode {
  const { value, secrets } = unwrap(request.getObject()?.toJavaScript() ?? {});
  const type = request.getType();
  return {
    urn,
    type,
    name: request.getName(),
    custom: request.getCustom(),
    parent: request.getParent() || undefined,
    inputs: value,
    secrets,
    dependencies: [...request.getDependenciesList()].sort(),
    propertyDependencies: Object.fromEntries(
      [...request.getPropertydependenciesMap().entries()].map(([key, urns]) => [key, [...urns.getUrnsList()].sort()]),
    ),
    // A reference is the provider's URN and its id.
    provider: request.getProvider().replace(/::[^:]*$/, "") || undefined,
    protect: request.getProtect(),
    deletedWith: request.getDeletedwith() || undefined,
    insideApply: inApply,
    source: sourceOf(framesOf(request)),
  };
}

function framesOf(request: Request): Frame[] {
  const positions = (request.getStacktrace()?.getFramesList() ?? []).flatMap((frame) => frame.getPc() ?? []);
  return positions.map((at) => ({ uri: at.getUri(), line: at.getLine() }));
}

/** Follows asynchronous work from callbacks of `apply`, so that a resource made in one is known. */
function watchApply(): () => void {
  type Apply = (this: unknown, callback: (value: unknown) => unknown, ...rest: unknown[]) => unknown;
  const { prototype } = pulumi.Output as unknown as { prototype: { apply: Apply } };
  const original = prototype.apply;
  prototype.apply = function (callback, ...rest) {
    return original.call(this, (value: unknown) => insideApply.run(true, () => callback(value)), ...rest);
  };
  return () => {
    prototype.apply = original;
  };
}

/**
 * What fails while a resource's inputs are worked out (an `apply` that throws) rejects a promise that nobody holds, and the
 * program would wait for that resource forever. The engine ends the program then, and so does this.
 */
function catchLostRejections(): { rejection: Promise<never>; stop: () => void } {
  const others = process.rawListeners("unhandledRejection") as ((reason: unknown) => void)[];
  process.removeAllListeners("unhandledRejection");
  let reject: (reason: Error) => void = () => undefined;
  const rejection = new Promise<never>((_, refuse) => (reject = refuse));
  rejection.catch(() => undefined);
  const listener = (reason: unknown) => reject(reason instanceof Error ? reason : new Error(String(reason)));
  process.on("unhandledRejection", listener);
  const stop = () => {
    process.off("unhandledRejection", listener);
    for (const other of others) process.on("unhandledRejection", other);
  };
  return { rejection, stop };
}
