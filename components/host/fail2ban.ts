import type { RemoteFile } from "./remote-script";
import type { HardeningSettings } from "./settings";

export const fail2banUnit = "fail2ban.service";
export const jailFile = "/etc/fail2ban/jail.d/90-groundwork.local";
export const fail2banFile = "/etc/fail2ban/fail2ban.d/90-groundwork.local";
/** Whom no jail bans; written by the script, since who runs `up` is known on the machine only. */
export const ignoreFile = "/etc/fail2ban/jail.d/91-groundwork-ignore.local";

/** Debian's packages: without python3-systemd the journal can't be read (it is only recommended there). */
export const fail2banPackages = ["fail2ban", "python3-systemd"];

/** What a machine's jails are planned from. */
export interface Fail2banPlan {
  settings: HardeningSettings["fail2ban"];
  /** Networks that are never banned. */
  trusted: string[];
  sshPort: number;
}

/**
 * The files of fail2ban (jail.conf(5)). One jail: SSH is the only thing on a machine that takes logins. It counts what the
 * journal says of wrong keys, unknown users and broken negotiations (filter sshd in mode aggressive), since a server without
 * passwords never logs a wrong password; a key that is refused before the right one is no failure (the filter forgets a
 * connection that logs in). A ban drops every TCP connection from the address, in a table of nftables of fail2ban's own.
 */
export function fail2banFiles(plan: Fail2banPlan): RemoteFile[] {
  const { maxRetry, findTime, banTime, maxBanTime } = plan.settings;
  return [
    {
      path: fail2banFile,
      // Standard output is the journal, which is bounded; bans outlive a restart in the database.
      content: "[DEFAULT]\nlogtarget = SYSOUT\nallowipv6 = auto\ndbpurgeage = 30d\n",
    },
    {
      path: jailFile,
      content: `[DEFAULT]
banaction = nftables[type=allports, blocktype=drop]
banaction_allports = nftables[type=allports, blocktype=drop]
usedns = no
ignoreself = true
maxretry = ${maxRetry}
findtime = ${findTime}
bantime = ${banTime}
# Who comes back is banned for twice as long each time.
bantime.increment = true
bantime.maxtime = ${maxBanTime}

[sshd]
enabled = true
mode = aggressive
port = ${plan.sshPort}
backend = systemd
journalmatch = _SYSTEMD_UNIT=ssh.service + _COMM=sshd
`,
    },
  ];
}

/** Networks that no jail bans: loopback and the given ones, without repetition. */
export const neverBanned = (trusted: string[]): string[] => [...new Set(["127.0.0.0/8", "::1", ...trusted])];

/**
 * Shell that has fail2ban run with its files, or not at all. The address that the script came from is the operator's, and is
 * never banned either: an operator who is locked out could not undo it.
 */
export function fail2banScript(plan: Fail2banPlan): string {
  if (!plan.settings.enabled) {
    return `switch_off ${fail2banUnit}\nrm -f '${jailFile}' '${fail2banFile}' '${ignoreFile}'`;
  }
  return `
operator=\${SSH_CONNECTION:-}
put 644 '${ignoreFile}' <<IGNORE
[DEFAULT]
ignoreip = ${neverBanned(plan.trusted).join(" ")} \${operator%% *}
IGNORE
fail2ban-client --test > /dev/null || fail "fail2ban refuses its configuration: fail2ban-client --test says why"
case "$changed" in */etc/fail2ban/*) systemctl try-restart ${fail2banUnit} ;; esac
switch_on ${fail2banUnit}
await 30 0.5 fail2ban-client status sshd || fail "fail2ban does not guard SSH: journalctl --unit fail2ban"`;
}
