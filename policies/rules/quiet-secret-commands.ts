import { describe } from "../resource";
import { groundwork, nsa, ResourceRule } from "../rule";
import { isNot } from "../unknown";

/** What opens the connection is not printed; the script's input and its environment may well be. */
const given = /^(stdin|environment|triggers)\b/;

/** By default the provider copies what a command prints into the engine's output and logs. */
export const quietSecretCommands: ResourceRule = {
  id: "quiet-secret-commands",
  title: "Commands that are given a secret do not log what they print",
  severity: "high",
  controls: [nsa("Secrets"), groundwork("No command prints a secret")],
  remediation: 'Set logging to "none".',
  scope: "resource",
  check: (resource, report) => {
    if (!/^command:(local|remote):Command$/.test(resource.type)) return;
    const secret = resource.secrets.find((path) => given.test(path));
    if (secret !== undefined && isNot(resource.props["logging"], "none")) {
      report(`${describe(resource)} is given a secret in ${secret} and logs what it prints`);
    }
  },
};
