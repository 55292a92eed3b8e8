import { CertificateWatch } from "../guard";
import { hide, log, reason, StateLog } from "../log";
import { until } from "../loop";
import { answerProbes } from "../probes";
import { VaultClient, VaultError } from "../vault/client";
import { keepCopy } from "./copy";
import { open, TroubleError, Trouble } from "./open";
import { Bootstrap, bootstrapOptions, BootstrapKeys } from "./options";
import { ensureTransit, login, setUp } from "./set-up";
import { keepSealToken } from "./token";

/** How the bootstrap Vault is, for `doctor`. */
export type State = "starting" | "initialising" | "restoring" | "unsealed" | "unreachable" | Trouble;

/** Seconds between looks at the mount, the key, the token and the copy, while nothing seems to have changed. */
const upkeep = 15;

/** Seconds after which the keeper logs in anew: its token lives for fifteen minutes. */
const sessionSeconds = 600;

/** Keeps the bootstrap Vault open, and the primary's token valid. */
export class BootstrapKeeper {
  private keys: BootstrapKeys = {};
  private session: { vault: VaultClient; since: number } | undefined;
  private kept = Number.NEGATIVE_INFINITY;
  private current: { state: State; detail: string; since: string } = this.entry("starting", "");

  constructor(private readonly bootstrap: Bootstrap) {}

  get ready(): boolean {
    return this.current.state === "unsealed" && this.kept > 0;
  }

  get status(): object {
    return this.current;
  }

  /** One look. @throws what stands in the way; the next look tries again. */
  async turn(): Promise<void> {
    try {
      await this.look();
    } catch (error) {
      if (error instanceof TroubleError) this.enter(error.trouble, error.message);
      else if (!(error instanceof VaultError)) this.enter("unreachable", reason(error));
      this.session = undefined;
      throw error;
    }
  }

  private async look(): Promise<void> {
    const { vault, kube } = this.bootstrap;
    const health = await vault.health();
    const closed = !health.initialized || health.sealed;
    if (closed || !this.keys.unsealKey) {
      this.keys = (await kube.readSecret(this.bootstrap.keys)) ?? {};
      for (const secret of [this.keys.unsealKey, this.keys.rootToken, this.keys.secretId]) hide(secret);
      if (!health.initialized) this.enter(this.keys.unsealKey ? "restoring" : "initialising", "");
      this.keys = await open(this.bootstrap, health, this.keys);
      if (!this.keys.unsealKey) return;
      this.kept = Number.NEGATIVE_INFINITY;
    }
    if (this.current.state === "unsealed" && performance.now() - this.kept < upkeep * 1000) return;
    await this.upkeep();
    this.kept = performance.now();
    this.enter("unsealed", "");
  }

  private async upkeep(): Promise<void> {
    const { bootstrap } = this;
    if (this.keys.rootToken) this.keys = await setUp(bootstrap, this.keys);
    const vault = await this.loggedIn();
    await ensureTransit(vault);
    await keepSealToken(bootstrap, vault);
    await keepCopy(bootstrap, vault);
  }

  private async loggedIn(): Promise<VaultClient> {
    const now = performance.now();
    if (this.session && now - this.session.since < sessionSeconds * 1000) return this.session.vault;
    let vault = await login(this.bootstrap.vault, this.keys);
    if (!vault) {
      // No login, or one that this Vault does not know: with the unseal key it can be made anew.
      this.keys = await setUp(this.bootstrap, this.keys);
      vault = await login(this.bootstrap.vault, this.keys);
    }
    if (!vault) throw new Error("the bootstrap Vault refuses the login that was just made");
    this.session = { vault, since: now };
    return vault;
  }

  private enter(state: State, detail: string): void {
    if (this.current.state !== state || this.current.detail !== detail) this.current = this.entry(state, detail);
  }

  private entry(state: State, detail: string): { state: State; detail: string; since: string } {
    return { state, detail, since: new Date().toISOString() };
  }
}

/** The sidecar: looks every second. */
export async function bootstrap(argv: string[]): Promise<void> {
  const options = bootstrapOptions(argv);
  const keeper = new BootstrapKeeper(options);
  const certificate = new CertificateWatch(options.certificate);
  const probes = answerProbes(options.port, { ready: () => keeper.ready, status: () => keeper.status });
  const state = new StateLog();
  log("keeping the bootstrap Vault");
  await until(
    async () => {
      probes.turned();
      certificate.look();
      await keeper.turn();
    },
    1,
    (error) => state.say("the bootstrap Vault is not open", { reason: reason(error) }),
  );
}
