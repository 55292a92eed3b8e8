import { describe } from "../resource";
import { groundwork, nsa, ResourceRule } from "../rule";
import { isAbsent, isUnknown } from "../unknown";

/** Passwords are guessed and shared; hosts take keys only. */
export const sshKeysOnly: ResourceRule = {
  id: "ssh-keys-only",
  title: "Connections to hosts use keys",
  severity: "high",
  controls: [nsa("Authentication"), groundwork("sshd with keys only")],
  remediation: "Give the connection a privateKey, as the Host's `ssh` does.",
  scope: "resource",
  check: (resource, report) => {
    if (!resource.type.startsWith("command:remote:")) return;
    const connection = resource.props["connection"];
    if (isAbsent(connection)) return;
    for (const [title, end] of [
      ["its connection", connection],
      ["its connection's proxy", connection.proxy],
    ] as const) {
      if (isAbsent(end) || isUnknown(end)) continue;
      if (!isAbsent(end.password)) report(`${describe(resource)} has a password in ${title}`);
      if (isAbsent(end.privateKey) && isAbsent(end.agentSocketPath)) {
        report(`${describe(resource)} has no key in ${title}`);
      }
    }
  },
};
