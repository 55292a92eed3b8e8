import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

/** Whom a certificate is for. */
export interface Subject {
  commonName: string;
  /** @default none: a client's */
  dnsNames?: string[];
}

/** A certificate authority in a folder, made by the openssl program. */
export class Authority {
  readonly caFile: string;
  private made = 0;

  constructor(private readonly folder: string) {
    fs.mkdirSync(folder, { recursive: true });
    this.caFile = path.join(folder, "ca.crt");
    const to = ["-keyout", this.at("ca.key"), "-out", this.caFile];
    openssl("req", "-x509", ...newKey, ...to, "-subj", "/CN=test authority", "-days", "2");
  }

  get pem(): string {
    return fs.readFileSync(this.caFile, "utf8");
  }

  /** Signs a certificate with a new key; PEM. */
  issue({ commonName, dnsNames }: Subject): { cert: string; key: string } {
    const name = `leaf-${++this.made}`;
    const [key, request, cert, extensions] = ["key", "csr", "crt", "ext"].map((end) => this.at(`${name}.${end}`));
    openssl("req", ...newKey, "-keyout", key!, "-out", request!, "-subj", `/CN=${commonName}`);
    const names = dnsNames ? [`subjectAltName=${dnsNames.map((dns) => `DNS:${dns}`).join(",")}`] : [];
    const usage = `extendedKeyUsage=${dnsNames ? "serverAuth" : "clientAuth"}`;
    fs.writeFileSync(extensions!, [...names, usage, ""].join("\n"));
    const signer = ["-CA", this.caFile, "-CAkey", this.at("ca.key"), "-CAcreateserial", "-extfile", extensions!];
    openssl("x509", "-req", "-in", request!, ...signer, "-out", cert!, "-days", "2");
    return { cert: fs.readFileSync(cert!, "utf8"), key: fs.readFileSync(key!, "utf8") };
  }

  private at(name: string): string {
    return path.join(this.folder, name);
  }
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

function openssl(...args: string[]): void {
  execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
}

/** Puts a file in the place of another, as Vault Agent does it: never half of it is seen. */
export function replaceFile(file: string, content: string): void {
  fs.writeFileSync(`${file}.new`, content, { mode: 0o600 });
  fs.renameSync(`${file}.new`, file);
}
