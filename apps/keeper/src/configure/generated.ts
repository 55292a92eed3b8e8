import { randomBytes, randomInt } from "node:crypto";
import { VaultClient, VaultError } from "../vault/client";
import { Document } from "./document";

type Values = Document["kv"][string];

const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** A random value of that shape. */
export function generate({ length, characters }: Values[string]): string {
  if (characters === "alphanumeric") {
    return Array.from({ length }, () => alphanumeric[randomInt(alphanumeric.length)]).join("");
  }
  return randomBytes(length).toString(characters).slice(0, length);
}

/** Puts random values at a path of `kv` where nothing is yet. The keeper can not read what is there. Says whether it did. */
export async function generateOnce(vault: VaultClient, path: string, values: Values): Promise<boolean> {
  if (await vault.read(`kv/metadata/${path}`)) return false;
  const data = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, generate(value)]));
  try {
    // cas 0: only where there is no version yet.
    await vault.write(`kv/data/${path}`, { data, options: { cas: 0 } });
    return true;
  } catch (error) {
    if (error instanceof VaultError && error.status === 400 && /check-and-set/.test(error.message)) return false;
    throw error;
  }
}
