import { generateKeyPairSync, KeyObject, sign } from "node:crypto";

/** DER (ITU-T X.690), as much of it as a certificate request needs: each function makes one element. */
const element = (tag: number, ...content: Buffer[]): Buffer => {
  const body = Buffer.concat(content);
  const size = body.length;
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
};
const sequence = (...content: Buffer[]): Buffer => element(0x30, ...content);
const set = (...content: Buffer[]): Buffer => element(0x31, ...content);
const text = (value: string): Buffer => element(0x0c, Buffer.from(value, "utf8"));

/** Object identifiers in DER, written out: each is used once. */
const oid = {
  /** 2.5.4.3, commonName: Kubernetes's user. */
  commonName: Buffer.from("0603550403", "hex"),
  /** 2.5.4.10, organizationName: Kubernetes's group. */
  organization: Buffer.from("060355040a", "hex"),
  /** 1.2.840.10045.4.3.2, ecdsa-with-SHA256. */
  ecdsaWithSha256: Buffer.from("06082a8648ce3d040302", "hex"),
};

/** A new key pair and a request for a certificate over it. */
export interface CertificateRequest {
  /** PKCS #8, PEM. Never leaves the computer that it was made on. */
  privateKey: string;
  /** PKCS #10 (RFC 2986), PEM. */
  request: string;
}

/**
 * A certificate request for a user in a group: an ECDSA key on P-256, signed with SHA-256. Node has no call for it and
 * OpenSSL's command may not be there.
 */
export function certificateRequest(user: string, group: string): CertificateRequest {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const subject = sequence(set(sequence(oid.organization, text(group))), set(sequence(oid.commonName, text(user))));
  const version = element(0x02, Buffer.from([0]));
  const attributes = element(0xa0);
  const info = sequence(version, subject, publicKey.export({ type: "spki", format: "der" }), attributes);
  return { privateKey: pem(privateKey), request: toPem(signed(info, privateKey)) };
}

/** The information with its signature: what RFC 2986 calls a CertificationRequest. */
function signed(info: Buffer, key: KeyObject): Buffer {
  const signature = sign("sha256", info, key);
  return sequence(info, sequence(oid.ecdsaWithSha256), element(0x03, Buffer.from([0]), signature));
}

const pem = (key: KeyObject): string => key.export({ type: "pkcs8", format: "pem" }) as string;

function toPem(der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines.join("\n")}\n-----END CERTIFICATE REQUEST-----\n`;
}
