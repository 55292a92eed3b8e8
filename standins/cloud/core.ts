import { EventEmitter } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { type Backend, CloudError } from "./backend";
import { Converger } from "./converge";
import { asCloudError, locked, notUnique } from "./errors";
import { FaultBox } from "./faults";
import { type Action, type Base, type Kind, singular } from "./model";
import type { State } from "./state";

/** Does the work of an action; may be run again when the emulator was killed meanwhile, and has then to find what is done. */
export type Job = (core: Core, args: Record<string, unknown>) => Promise<void>;
const jobs = new Map<string, Job>();

/** Registers what an action does under a name that the state can hold. */
export function job<A extends Record<string, unknown>>(
  name: string,
  run: (core: Core, args: A) => Promise<void>,
): { name: string; with: (args: A) => Action["job"] } {
  jobs.set(name, run as unknown as Job);
  return { name, with: (args) => ({ name, args }) };
}

export interface StartOptions {
  command: string;
  /** What it is about; actions of the first one run one after another. */
  on: [kind: Kind, id: number][];
  job: Action["job"];
  after?: Action;
}

/** Objects that refuse other actions while one runs, with the error that they give. */
const lockingKinds: Partial<Record<Kind, () => CloudError>> = {
  servers: locked,
  volumes: locked,
  networks: () => new CloudError("conflict", "the network is being changed, please retry"),
};

/** The emulator without HTTP: objects, actions and the backend. */
export class Core {
  readonly faults = new FaultBox();
  readonly converger: Converger;
  private readonly queues = new Map<string, Promise<void>>();
  private readonly events = new EventEmitter();
  private stopped = false;

  constructor(
    readonly state: State,
    readonly backend: Backend,
    private readonly latency: number,
  ) {
    this.events.setMaxListeners(0);
    this.converger = new Converger(this);
  }

  /** Goes on with what was under way when the emulator was stopped or killed. */
  resume(): void {
    for (const action of this.state.actions) if (action.status === "running") this.enqueue(action);
  }

  /** Throws `locked`, or what else the kind says, while an action on the object runs. */
  mustBeFree(kind: Kind, id: number): void {
    const error = lockingKinds[kind];
    if (error && this.isLocked(kind, id)) throw error();
  }

  isLocked(kind: Kind, id: number): boolean {
    return this.state.actions.some((a) => a.status === "running" && this.about(a, kind, id));
  }

  about(action: Action, kind: Kind, id: number): boolean {
    return action.resources.some((r) => r.id === id && r.type === singular[kind]);
  }

  /** Starts an action. `mustBeFree` is the caller's, since some actions belong together. */
  start({ command, on, job: work, after }: StartOptions): Action {
    const action = this.state.addAction({
      id: this.state.nextId(),
      command,
      status: "running",
      started: new Date().toISOString(),
      finished: null,
      error: null,
      resources: on.map(([kind, id]) => ({ id, type: singular[kind] })),
      job: work,
      after: after?.id,
      latency: this.latency,
    });
    this.enqueue(action);
    return action;
  }

  private enqueue(action: Action): void {
    const { type, id } = action.resources[0]!;
    const queue = `${type}:${id}`;
    const done = (this.queues.get(queue) ?? Promise.resolve()).then(() => this.run(action));
    this.queues.set(queue, done);
    void done.then(() => {
      if (this.queues.get(queue) === done) this.queues.delete(queue);
    });
  }

  private async run(action: Action): Promise<void> {
    try {
      // Even without latency an action is answered as running first, as the cloud does.
      await sleep(action.latency);
      if (this.stopped) return;
      const before = this.state.actions.find((a) => a.id === action.after);
      if (before?.status === "error") throw new CloudError("action_failed", "an action before it failed");
      const fault = this.faults.takeAction(action.command);
      if (fault) throw new CloudError(fault.code ?? "action_failed", fault.message ?? "Action failed");
      await jobs.get(action.job.name)!(this, action.job.args);
      if (this.stopped) return;
      action.status = "success";
    } catch (thrown) {
      const { code, message } = asCloudError(thrown);
      action.status = "error";
      action.error = { code, message };
    }
    action.finished = new Date().toISOString();
    this.state.touch();
    this.state.save();
    this.events.emit("finished");
  }

  /** Waits until no action runs, for tests and for stopping. */
  async settled(): Promise<void> {
    while (!this.stopped && this.state.actions.some((a) => a.status === "running")) {
      await new Promise((done) => this.events.once("finished", done));
    }
  }

  /** What every new object has; throws when the name is taken or there are as many as there may be. */
  base(kind: Kind, name: string, labels: Base["labels"]): Base {
    this.unusedName(kind, name);
    const limit = this.faults.limitOf(kind);
    if (this.state.all(kind).length >= limit) {
      throw new CloudError("resource_limit_exceeded", `${singular[kind]} limit exceeded`, {
        limits: [{ name: `${singular[kind]}_limit` }],
      });
    }
    return { id: this.state.nextId(), name, created: new Date().toISOString(), labels };
  }

  unusedName(kind: Kind, name: string, except?: number): void {
    const list: readonly Base[] = this.state.all(kind);
    if (list.some((o) => o.name === name && o.id !== except)) {
      throw notUnique("name", `${singular[kind]} name is already used`);
    }
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.events.emit("finished");
    this.state.touch();
    this.state.save();
    await this.backend.stop();
  }
}

/** How an action is shown. */
export function viewAction(action: Action): object {
  const { id, command, status, started, finished, error, resources } = action;
  const share = action.latency > 0 ? (Date.now() - Date.parse(started)) / action.latency : 0;
  const progress = status === "running" ? Math.max(0, Math.min(99, Math.floor(share * 100))) : 100;
  return { id, command, status, progress, started, finished, error, resources };
}
