import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";

/** A certificate that signs itself, with its key; PEM. */
export interface SelfSigned {
  certificate: string;
  privateKey: string;
}

/** One element of DER: tag, length, content. */
function element(tag: number, ...content: Buffer[]): Buffer {
  const body = Buffer.concat(content);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const length = Buffer.from(body.length.toString(16).padStart(body.length > 0xff ? 4 : 2, "0"), "hex");
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, body]);
}

const sequence = (...content: Buffer[]): Buffer => element(0x30, ...content);
const bits = (content: Buffer): Buffer => element(0x03, Buffer.from([0]), content);
const text = (content: string): Buffer => element(0x0c, Buffer.from(content, "utf8"));

/** An object identifier, such as 2.5.29.17. */
function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second, ...rest.flatMap(base128)];
  return element(0x06, Buffer.from(bytes));
}

function base128(number: number): number[] {
  const digits = [number & 0x7f];
  for (let left = number >> 7; left > 0; left >>= 7) digits.unshift((left & 0x7f) | 0x80);
  return digits;
}

/** Time as certificates have it until 2049. */
const utc = (date: Date): Buffer =>
  element(0x17, Buffer.from(`${date.toISOString().slice(2, 19).replace(/[-:T]/g, "")}Z`));

const extension = (id: string, critical: boolean, value: Buffer): Buffer =>
  sequence(oid(id), ...(critical ? [element(0x01, Buffer.from([0xff]))] : []), element(0x04, value));

const ecdsaWithSha256 = sequence(oid("1.2.840.10045.4.3.2"));

/** Makes a certificate (X.509 v3, P-256) for DNS names, which a TLS client takes when it trusts the certificate itself. */
export function selfSigned(commonName: string, dnsNames: string[], hours: number, now = new Date()): SelfSigned {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = publicKey.export({ type: "spki", format: "der" });
  const name = sequence(element(0x31, sequence(oid("2.5.4.3"), text(commonName.slice(0, 64)))));
  const names = dnsNames.map((dnsName) => element(0x82, Buffer.from(dnsName)));
  const serial = Buffer.concat([Buffer.from([0x40]), randomBytes(15)]);
  const extensions = [
    extension("2.5.29.19", true, sequence(element(0x01, Buffer.from([0xff])))), // basicConstraints: an authority
    extension("2.5.29.14", false, element(0x04, createHash("sha1").update(key).digest())), // subjectKeyIdentifier
    ...(names.length > 0 ? [extension("2.5.29.17", false, sequence(...names))] : []), // subjectAltName
  ];
  const content = sequence(
    element(0xa0, element(0x02, Buffer.from([2]))), // version 3
    element(0x02, serial),
    ecdsaWithSha256,
    name,
    sequence(utc(now), utc(new Date(now.getTime() + hours * 3_600_000))),
    name,
    key,
    element(0xa3, sequence(...extensions)),
  );
  const signature = sign("sha256", content, privateKey);
  const der = sequence(content, ecdsaWithSha256, bits(signature));
  const lines = der.toString("base64").match(/.{1,64}/g)!;
  return {
    certificate: `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`,
    privateKey: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
  };
}
