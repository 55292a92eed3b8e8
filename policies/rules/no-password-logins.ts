import { describe } from "../resource";
import { groundwork, nsa, ResourceRule } from "../rule";
import { textsOf } from "../scripts";

/** Lines of an SSH server's configuration, of cloud-init, and of scripts that let someone in by a password. */
const ways: readonly [RegExp, string][] = [
  [
    /^\s*(PasswordAuthentication|KbdInteractiveAuthentication|ChallengeResponseAuthentication)\s+yes\b/im,
    "lets SSH ask for passwords",
  ],
  [/^\s*PermitEmptyPasswords\s+yes\b/im, "lets SSH take empty passwords"],
  [/^\s*PermitRootLogin\s+yes\b/im, "lets root log in with a password"],
  [/^\s*ssh_pwauth:\s*(true|yes|1)\b/im, "has cloud-init switch SSH passwords on"],
  [/^\s*(-\s*)?(plain_text_passwd|hashed_passwd|passwd|password):\s*\S/im, "has cloud-init set a password"],
  [/^\s*chpasswd:\s*$/im, "has cloud-init set passwords"],
  [/\|\s*chpasswd\b|\bpasswd\s+--stdin\b|\busermod\s+(-p|--password)[\s=]+(?!'?[*!])/, "sets a user's password"],
];

/** A script that writes the server's configuration says that passwords are off: the default is on. */
const writes = /(put\s+\d+|>)\s*'?\/etc\/ssh\/sshd_config/;
const off = /^\s*PasswordAuthentication\s+no\s*$/im;

/** Who guesses has all the time in the world; a key can't be guessed. */
export const noPasswordLogins: ResourceRule = {
  id: "no-password-logins",
  title: "No machine lets anyone in by a password",
  severity: "critical",
  controls: [nsa("Authentication"), groundwork("sshd with keys only")],
  remediation: "Use SSH keys; sshd gets PasswordAuthentication no, users no password.",
  scope: "resource",
  check: (resource, report) => {
    for (const [key, text] of textsOf(resource)) {
      for (const [pattern, what] of ways) if (pattern.test(text)) report(`${describe(resource)} ${what} in "${key}"`);
      if (writes.test(text) && !off.test(text)) {
        report(`${describe(resource)} writes sshd's configuration in "${key}" and leaves passwords on`);
      }
    }
  },
};
