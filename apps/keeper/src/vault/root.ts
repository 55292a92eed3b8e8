import { randomInt } from "node:crypto";
import { hide } from "../log";
import { VaultClient } from "./client";

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** One-time pad in the alphabet that Vault asks for. */
const oneTimePad = (length: number): string => Array.from({ length }, () => digits[randomInt(digits.length)]).join("");

/** The token out of what Vault answers: both are combined by exclusive or, so that nobody between sees it. */
function decode(encoded: string, pad: string): string {
  const bytes = Buffer.from(encoded, "base64");
  const mask = Buffer.from(pad, "utf8");
  return Buffer.from(bytes.map((byte, index) => byte ^ (mask[index] ?? 0))).toString("utf8");
}

/**
 * Makes a root token out of the unseal keys, or, where a Transit key unseals, out of the recovery keys. An attempt that
 * someone else left unfinished is given up.
 *
 * @throws where the keys are refused, or too few
 */
export async function generateRoot(vault: VaultClient, keys: string[]): Promise<string> {
  const anonymous = vault.as(undefined);
  await anonymous.remove("sys/generate-root/attempt");
  const { otp_length: length } = await anonymous.request("GET", "sys/generate-root/attempt");
  const otp = oneTimePad(Number(length));
  const { nonce } = await anonymous.request("PUT", "sys/generate-root/attempt", { otp });
  for (const key of keys) {
    const answer = await anonymous.request("PUT", "sys/generate-root/update", { key: hide(key), nonce });
    if (answer["complete"] === true) {
      const encoded = (answer["encoded_token"] || answer["encoded_root_token"]) as string;
      return hide(decode(encoded, otp));
    }
  }
  await anonymous.remove("sys/generate-root/attempt");
  throw new Error(`${keys.length} keys are too few to make a root token`);
}
