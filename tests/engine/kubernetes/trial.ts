import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import * as k8s from "@pulumi/kubernetes";
import type { CustomResourceOptions } from "@pulumi/pulumi";
import { EngineEvent, LocalWorkspace, Stack } from "@pulumi/pulumi/automation";
import { ApiServer } from "../apiserver";
import { engineEnv, homeOf, Subject } from "../contract/subjects";

// npm and npx put node_modules/.bin first, where `pulumi` is the project's own launcher with its stacks and policies.
process.env["PATH"] = (process.env["PATH"] ?? "")
  .split(path.delimiter)
  .filter((folder) => !folder.endsWith(path.join("node_modules", ".bin")))
  .join(path.delimiter);

/** A resource as the state has it. */
export interface StateResource {
  urn: string;
  type: string;
  id?: string;
  initErrors?: string[];
  inputs?: Record<string, unknown>;
  outputs?: Record<string, unknown>;
}

/** What one engine run did. */
export interface Run {
  /** Operations by resource name, in the order in which they ended; `same` is left out. */
  ops: Record<string, string[]>;
  /** Changed properties by resource name, as the engine shows them. */
  diffs: Record<string, string[]>;
  /** Messages of the engine; errors only when the run failed. */
  errors: string;
  failed: boolean;
}

/** A program: it makes resources with the provider given in `opts`. */
export type Program = (opts: CustomResourceOptions, namespace: string) => void;

export interface TrialOptions {
  /** More arguments of the provider. */
  provider?: k8s.ProviderArgs;
}

/** One stack of a test: an engine with one plugin, a backend and a namespace of its own. */
export class Trial {
  readonly namespace: string;
  private readonly server: ApiServer;
  private readonly options: TrialOptions;
  private readonly dir: string;
  private readonly home: string;
  private readonly stack: Promise<Stack>;
  private program: () => void = () => undefined;

  constructor(subject: Subject, server: ApiServer, name: string, options: TrialOptions = {}) {
    this.namespace = `${name}-${subject.kind === "official" ? "o" : "s"}`;
    this.server = server;
    this.options = options;
    this.dir = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-trial-"));
    this.home = homeOf([subject.folder], this.dir);
    const { home } = this;
    this.stack = LocalWorkspace.createOrSelectStack(
      { stackName: "it", projectName: "trial", program: () => Promise.resolve(this.program()) },
      { envVars: engineEnv(home, path.join(home, "state")), pulumiHome: home, workDir: home },
    );
  }

  /** Brings the program up; without one, the last again. */
  async up(program?: Program): Promise<Run> {
    if (program) this.use(program);
    return this.run((stack, opts) => stack.up(opts));
  }

  async preview(program?: Program): Promise<Run> {
    if (program) this.use(program);
    return this.run((stack, opts) => stack.preview(opts));
  }

  refresh = (): Promise<Run> => this.run((stack, opts) => stack.refresh(opts));
  destroy = (): Promise<Run> => this.run((stack, opts) => stack.destroy(opts));

  /** The state as the backend keeps it: secrets are encrypted. */
  async state(): Promise<StateResource[]> {
    const state = await (await this.stack).exportStack();
    return (state.deployment as { resources?: StateResource[] }).resources ?? [];
  }

  async resource(name: string): Promise<StateResource | undefined> {
    return (await this.state()).find((resource) => resource.urn.endsWith(`::${name}`));
  }

  /** From now on the engine uses another plugin. */
  useInstead(subject: Subject): void {
    const folder = path.join(this.home, "plugins", path.basename(subject.folder));
    for (const file of fs.readdirSync(folder)) {
      fs.rmSync(path.join(folder, file));
      fs.symlinkSync(path.join(subject.folder, file), path.join(folder, file));
    }
  }

  /** Makes the state forget a resource, as when the engine dies between a create and its checkpoint. */
  async forget(name: string): Promise<void> {
    const stack = await this.stack;
    const state = await stack.exportStack();
    const deployment = state.deployment as { resources: StateResource[] };
    deployment.resources = deployment.resources.filter((resource) => !resource.urn.endsWith(`::${name}`));
    await stack.importStack(state);
  }

  /** Bytes of the state file and its history, as they lie on disk. */
  files(): string {
    const read = (folder: string): string =>
      fs
        .readdirSync(folder, { withFileTypes: true })
        .map((entry) => {
          const full = path.join(folder, entry.name);
          if (entry.isDirectory()) return read(full);
          return entry.isFile() ? fs.readFileSync(full, "utf8") : "";
        })
        .join("\n");
    return read(fs.realpathSync(this.dir));
  }

  /** Path of an API object in the trial's namespace. */
  path(kind: string, name = ""): string {
    const [group, plural] = kind.includes("/")
      ? [kind.slice(0, kind.lastIndexOf("/")), kind.split("/").at(-1)]
      : ["", kind];
    return `${group ? `/apis/${group}` : "/api/v1"}/namespaces/${this.namespace}/${plural}${name ? `/${name}` : ""}`;
  }

  /** Destroys what is left and removes the trial's files. */
  async end(): Promise<void> {
    const stack = await this.stack;
    await stack.destroy().catch(() => undefined);
    await this.server.api.delete(`/api/v1/namespaces/${this.namespace}`).catch(() => undefined);
    fs.rmSync(this.dir, { recursive: true, force: true });
  }

  private use(program: Program): void {
    this.program = () => {
      const provider = new k8s.Provider("cluster", {
        kubeconfig: this.server.kubeconfig,
        clusterIdentifier: "trial",
        ...this.options.provider,
      });
      program({ provider }, this.namespace);
    };
  }

  private async run(
    verb: (stack: Stack, opts: { onEvent: (event: EngineEvent) => void }) => Promise<unknown>,
  ): Promise<Run> {
    const run: Run = { ops: {}, diffs: {}, errors: "", failed: false };
    const ended = new Set<string>();
    const onEvent = (event: EngineEvent) => {
      const meta = event.resourcePreEvent?.metadata ?? event.resOutputsEvent?.metadata;
      if (meta?.type.startsWith("kubernetes:") && meta.op !== "same") {
        const name = meta.urn.split("::").at(-1)!;
        if (!ended.has(`${name} ${meta.op}`)) (run.ops[name] ??= []).push(meta.op);
        ended.add(`${name} ${meta.op}`);
        const diffs = Object.keys(meta.detailedDiff ?? {});
        if (diffs.length > 0) run.diffs[name] = diffs.sort();
      }
      if (event.diagnosticEvent?.severity === "error") run.errors += `${plain(event.diagnosticEvent.message)}\n`;
    };
    try {
      await verb(await this.stack, { onEvent });
    } catch (error) {
      run.failed = true;
      run.errors ||= (error as Error).message;
    }
    return run;
  }
}

const plain = (message: string): string => message.replace(/<\{%[^%]*%\}>|\u001b\[[0-9;]*m/g, "").trim();

const serverSet = ["uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "finalizers"];

/**
 * State or an object in a form that two plugins can be compared in: without what the server or chance decides. A secret
 * is its mark alone.
 */
export function comparable(value: unknown, namespace: string): unknown {
  if (Array.isArray(value)) return value.map((item) => comparable(item, namespace));
  if (typeof value === "string") {
    return value.replaceAll(namespace, "NAMESPACE").replace(/-[0-9a-f]{8}\b/g, "-RANDOM");
  }
  if (typeof value !== "object" || value === null) return value;
  if ("ciphertext" in value) return "SECRET";
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !serverSet.includes(key) && key !== "status" && !key.startsWith("clusterIP"))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, comparable(item, namespace)]),
  );
}
