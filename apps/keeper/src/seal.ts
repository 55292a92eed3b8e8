/** What the primary needs to unseal itself, as its `seal` stanza says it. */
export interface SealStanza {
  address: string;
  token: string;
  key: string;
  mount: string;
  caFile: string;
}

/** The stanza as HCL. The token stands in this file and nowhere else in the primary's pods. */
export function writeStanza(seal: SealStanza): string {
  return `seal "transit" {
  address     = ${JSON.stringify(seal.address)}
  token       = ${JSON.stringify(seal.token)}
  key_name    = ${JSON.stringify(seal.key)}
  mount_path  = ${JSON.stringify(`${seal.mount}/`)}
  tls_ca_cert = ${JSON.stringify(seal.caFile)}
}
`;
}

/** Reads what `writeStanza` wrote. @throws where something is missing */
export function readStanza(hcl: string): SealStanza {
  const value = (name: string): string => {
    const found = new RegExp(`^\\s*${name}\\s*=\\s*("(?:[^"\\\\]|\\\\.)*")`, "m").exec(hcl)?.[1];
    if (found === undefined) throw new Error(`the seal stanza has no ${name}`);
    return JSON.parse(found) as string;
  };
  return {
    address: value("address"),
    token: value("token"),
    key: value("key_name"),
    mount: value("mount_path").replace(/\/$/, ""),
    caFile: value("tls_ca_cert"),
  };
}
