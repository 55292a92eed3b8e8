import * as fs from "node:fs";
import { readArguments } from "./arguments";
import { loginAs } from "./configure/base";
import { patiently } from "./configure/configure";
import { renewAuthorities } from "./configure/pki";
import { HttpsClient } from "./http";
import { log } from "./log";
import { VaultClient } from "./vault/client";

/** Looks after the authorities: a job of every week, so that none ends because nobody changed anything for a year. */
export async function authorities(argv: string[]): Promise<void> {
  const names = readArguments(argv, { needed: ["address", "ca", "login"] });
  const front = VaultClient.at(names.address, new HttpsClient(names.ca));
  await patiently(async () => {
    const vault = await loginAs(front, "keeper", fs.readFileSync(names.login, "utf8").trim());
    if (!vault) throw new Error("Vault does not let the keeper in");
    await renewAuthorities(vault);
    log("looked after the authorities");
  });
}
