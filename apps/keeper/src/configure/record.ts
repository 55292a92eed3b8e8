import { createHash } from "node:crypto";
import { VaultClient } from "../vault/client";

/** What the keeper remembers of one object that it made. */
export interface Remembered {
  /** Digest of what was written. */
  written: string;
  /** Digest of what Vault gave back then: differs when someone changed it by hand. */
  seen: string;
  /** Of a database connection: Vault has chosen its own password. */
  rotated?: boolean;
}

/** Path to what is remembered of it. */
export type Record_ = Record<string, Remembered>;

/** SHA-256 of a value, the same for the same content. */
export function digestOf(value: unknown): string {
  return createHash("sha256").update(canonical(value)).digest("hex");
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, one]) => `${JSON.stringify(key)}:${canonical(one)}`).join(",")}}`;
}

/** What a document of this name has made so far. It is kept in Vault itself. */
export class Records {
  private readonly path: string;
  private stored = "";
  all: Record_ = {};

  constructor(
    private readonly vault: VaultClient,
    name: string,
  ) {
    this.path = `kv/data/keeper/documents/${name}`;
  }

  async load(): Promise<void> {
    const answer = await this.vault.read(this.path);
    const { data } = (answer?.data ?? {}) as { data?: { objects?: string } };
    this.stored = data?.objects ?? "{}";
    this.all = JSON.parse(this.stored) as Record_;
  }

  /** Writes what has changed since it was read. */
  async save(): Promise<void> {
    const objects = JSON.stringify(this.all);
    if (objects === this.stored) return;
    await this.vault.write(this.path, { data: { objects } });
    this.stored = objects;
  }
}
