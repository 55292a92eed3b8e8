import { describe } from "../resource";
import { groundwork, nsa, ResourceRule } from "../rule";
import { isUnknown, list } from "../unknown";

/** Without a key the cloud makes a root password and sends it by mail. */
export const cloudServerKeys: ResourceRule = {
  id: "cloud-server-keys",
  title: "Cloud servers are made with SSH keys",
  severity: "high",
  controls: [nsa("Authentication"), groundwork("sshd with keys only")],
  remediation: "Give the server sshKeys.",
  scope: "resource",
  check: (resource, report) => {
    if (resource.type !== "hcloud:index/server:Server") return;
    const keys = resource.props["sshKeys"];
    if (!isUnknown(keys) && list(keys).length === 0)
      report(`${describe(resource)} has no SSH key, so it gets a password`);
  },
};
