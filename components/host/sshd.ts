/** Where the settings of {@link sshdSettings} go: Debian and Ubuntu read this folder before the rest of sshd_config. */
export const sshdFile = "/etc/ssh/sshd_config.d/10-groundwork.conf";

/**
 * Settings of the SSH server, after section 5.1 of the CIS Debian Linux 12 Benchmark: keys only, no forwarding,
 * current algorithms. `MaxStartups` is the benchmark's bound; the engine opens up to 16 connections at once, and
 * the SSH client of its command provider tries a refused one again.
 */
const sshdSettings: Record<string, string> = {
  PermitRootLogin: "prohibit-password",
  PasswordAuthentication: "no",
  KbdInteractiveAuthentication: "no",
  PermitEmptyPasswords: "no",
  HostbasedAuthentication: "no",
  IgnoreRhosts: "yes",
  PermitUserEnvironment: "no",
  DisableForwarding: "yes",
  X11Forwarding: "no",
  GSSAPIAuthentication: "no",
  UseDNS: "no",
  LoginGraceTime: "60",
  MaxAuthTries: "4",
  MaxSessions: "10",
  MaxStartups: "10:30:60",
  ClientAliveInterval: "15",
  ClientAliveCountMax: "3",
  LogLevel: "VERBOSE",
  KexAlgorithms: "sntrup761x25519-sha512@openssh.com,curve25519-sha256,curve25519-sha256@libssh.org",
  Ciphers: "chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,aes128-gcm@openssh.com",
  MACs: "hmac-sha2-512-etm@openssh.com,hmac-sha2-256-etm@openssh.com",
};

/** The drop-in's text. */
export function sshdDropIn(): string {
  return Object.entries(sshdSettings)
    .map(([key, value]) => `${key} ${value}\n`)
    .join("");
}
