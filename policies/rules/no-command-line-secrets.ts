import { celQuietWords } from "../cel";
import { cis, containerRule, nsa } from "../rule";
import { secretsOnCommandLine } from "../secrets";
import { list } from "../unknown";

/** A command line is read by every user of the node and ends up in the audit log. */
export const noCommandLineSecrets = containerRule(
  {
    id: "no-command-line-secrets",
    title: "Command lines of containers hold no secrets",
    severity: "high",
    controls: [cis("5.4.1"), nsa("Secrets")],
    cluster: {
      per: "container",
      valid: `[c.?command.orValue([]) + c.?args.orValue([])].all(words, ${celQuietWords("words")})`,
    },
    remediation: "Give the program the path of a mounted file instead of the value.",
  },
  (container) => {
    const words = [...list(container.spec.command), ...list(container.spec.args)];
    const found = secretsOnCommandLine(words.filter((word) => typeof word === "string"));
    return found.map((name) => `has ${name} on its command line`);
  },
);
