/** Kinds without a body of their own: keys, placement groups, certificates. */
import { X509Certificate, createHash } from "node:crypto";
import { CloudError } from "../backend";
import { invalid, notUnique } from "../errors";
import * as input from "../input";
import type { KindApi } from "../kind";

const keyForm = /^(ssh-(rsa|ed25519)|ecdsa-sha2-nistp(256|384|521)|sk-[a-z0-9@.-]+) ([A-Za-z0-9+/]+=*)( .*)?$/;

export const sshKeys: KindApi<"ssh_keys"> = {
  kind: "ssh_keys",
  view: (_, { id, name, fingerprint, public_key, labels, created }) => ({
    id,
    name,
    fingerprint,
    public_key,
    labels,
    created,
  }),
  create(core, body) {
    const key = input.text(body, "public_key").trim();
    const blob = keyForm.exec(key)?.[4];
    if (!blob) throw invalid("public_key", "must be a valid SSH public key");
    const digest = createHash("md5").update(Buffer.from(blob, "base64")).digest("hex");
    const fingerprint = digest.match(/../g)!.join(":");
    if (core.state.all("ssh_keys").some((k) => k.fingerprint === fingerprint)) {
      throw notUnique("public_key", "SSH key with the same fingerprint already exists");
    }
    const base = core.base("ssh_keys", input.name(body), input.labels(body));
    core.state.add("ssh_keys", { ...base, public_key: key, fingerprint });
    return { status: 201, object: base.id };
  },
  remove: (core, key) => {
    core.state.remove("ssh_keys", key.id);
    return {};
  },
  actions: {},
  filters: { fingerprint: (key, values) => values.includes(key.fingerprint) },
};

export const placementGroups: KindApi<"placement_groups"> = {
  kind: "placement_groups",
  view: (core, { id, name, labels, created, type }) => ({
    id,
    name,
    labels,
    created,
    type,
    servers: core.state
      .all("servers")
      .filter((s) => s.placement_group === id)
      .map((s) => s.id),
  }),
  create(core, body) {
    const type = input.oneOf(body, "type", ["spread"]);
    const base = core.base("placement_groups", input.name(body), input.labels(body));
    core.state.add("placement_groups", { ...base, type });
    return { status: 201, object: base.id, more: { action: null } };
  },
  remove(core, group) {
    if (core.state.all("servers").some((s) => s.placement_group === group.id)) {
      throw new CloudError("resource_in_use", "the placement group still has servers");
    }
    core.state.remove("placement_groups", group.id);
    return {};
  },
  actions: {},
  filters: { type: (group, values) => values.includes(group.type) },
};

/** Uploaded certificates only: one that the cloud gets by itself would need DNS. */
export const certificates: KindApi<"certificates"> = {
  kind: "certificates",
  view: (core, { labels, type, ...certificate }) => ({
    ...certificate,
    labels,
    type,
    status: null,
    used_by: core.state
      .all("load_balancers")
      .filter((b) => b.services.some((s) => s.http?.certificates.includes(certificate.id)))
      .map(({ id }) => ({ id, type: "load_balancer" })),
  }),
  create(core, body) {
    const type = input.oneOf(body, "type", ["uploaded", "managed"], "uploaded");
    if (type === "managed") {
      throw new CloudError("unsupported_error", "the emulator has no DNS and issues no managed certificates");
    }
    const pem = input.text(body, "certificate");
    input.text(body, "private_key");
    let read: X509Certificate;
    try {
      read = new X509Certificate(pem);
    } catch {
      throw invalid("certificate", "must be a certificate in PEM");
    }
    const base = core.base("certificates", input.name(body), input.labels(body));
    core.state.add("certificates", {
      ...base,
      type,
      certificate: pem,
      domain_names: (read.subjectAltName ?? "").split(/, ?/).flatMap((n) => (n.startsWith("DNS:") ? [n.slice(4)] : [])),
      fingerprint: read.fingerprint256,
      not_valid_before: new Date(read.validFrom).toISOString(),
      not_valid_after: new Date(read.validTo).toISOString(),
    });
    return { status: 201, object: base.id, more: { action: null } };
  },
  remove(core, certificate) {
    const used = core.state
      .all("load_balancers")
      .some((b) => b.services.some((s) => s.http?.certificates.includes(certificate.id)));
    if (used) throw new CloudError("resource_in_use", "a load balancer uses the certificate");
    core.state.remove("certificates", certificate.id);
    return {};
  },
  actions: {},
  filters: { type: (certificate, values) => values.includes(certificate.type) },
};
