import { describe } from "../resource";
import { groundwork, nsa, ResourceRule } from "../rule";
import { secretsOnCommandLine } from "../secrets";
import { list } from "../unknown";

const scripts = ["create", "update", "delete", "read"];

/** A script's text is an argument of the shell that runs it, on the workstation or on the host. */
export const noHostCommandSecrets: ResourceRule = {
  id: "no-host-command-secrets",
  title: "Scripts for hosts hold no secrets",
  severity: "critical",
  controls: [nsa("Secrets"), groundwork("Nothing secret on a command line")],
  remediation: "Send the value through stdin, or copy it as a file of mode 0600.",
  scope: "resource",
  check: (resource, report) => {
    if (!resource.type.startsWith("command:")) return;
    const texts: [string, unknown][] = [
      ...scripts.map((key): [string, unknown] => [key, resource.props[key]]),
      ...list(resource.props["interpreter"]).map((word): [string, unknown] => ["interpreter", word]),
    ];
    for (const [key, text] of texts) {
      const found = typeof text === "string" ? [...new Set(secretsOnCommandLine(wordsOf(text)))] : [];
      for (const name of found) report(`${describe(resource)} has ${name} in its script "${key}"`);
      if (resource.secrets.some((path) => path === key)) {
        report(`${describe(resource)} has a secret value in its script "${key}"`);
      }
    }
  },
};

/** Words of a script, with the lines of a PEM block kept together. */
function wordsOf(text: string): string[] {
  const pem = /-----BEGIN [^-]+-----[\s\S]*?-----END [^-]+-----/g;
  const blocks = text.match(pem) ?? [];
  const words = text.replace(pem, " ").split(/[\s;|&()]+/);
  return [...blocks, ...words.map((word) => word.replace(/["']/g, ""))].filter((word) => word !== "");
}
