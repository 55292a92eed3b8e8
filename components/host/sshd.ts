/** Where the settings of {@link sshdDropIn} go: Debian and Ubuntu read this folder before the rest of sshd_config, and the first value counts. */
export const sshdFile = "/etc/ssh/sshd_config.d/10-groundwork.conf";

/** Signature algorithms without SHA-1 and DSA: of Ed25519 (also on a security key), RSA with SHA-2, and ECDSA. */
const signatures = [
  "ssh-ed25519",
  "sk-ssh-ed25519@openssh.com",
  "rsa-sha2-512",
  "rsa-sha2-256",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
];

/**
 * Settings of the SSH server, by number of the CIS Debian Linux 12 Benchmark; those without one are sshd_config(5)'s.
 * `MaxStartups` is the benchmark's bound; the engine opens up to 16 connections at once, and the SSH client of its command
 * provider tries a refused one again.
 */
const sshdSettings: Record<string, string> = {
  PermitRootLogin: "prohibit-password", // 5.1.20 asks for no root at all; the engine works as root, by key
  AuthenticationMethods: "publickey",
  PasswordAuthentication: "no",
  KbdInteractiveAuthentication: "no",
  PermitEmptyPasswords: "no", // 5.1.19
  HostbasedAuthentication: "no", // 5.1.10
  IgnoreRhosts: "yes", // 5.1.11
  PermitUserEnvironment: "no", // 5.1.21
  StrictModes: "yes",
  PubkeyAcceptedAlgorithms: signatures.join(","),
  HostKeyAlgorithms: signatures.filter((name) => !name.startsWith("sk-")).join(","),
  DisableForwarding: "yes", // 5.1.8
  X11Forwarding: "no",
  GSSAPIAuthentication: "no", // 5.1.9
  Banner: "none", // 5.1.5 asks for a text; nobody reads it, and it greets scanners, too
  DebianBanner: "no",
  UseDNS: "no",
  LoginGraceTime: "60", // 5.1.13
  MaxAuthTries: "4", // 5.1.16
  MaxSessions: "10", // 5.1.17
  MaxStartups: "10:30:60", // 5.1.18
  ClientAliveInterval: "15", // 5.1.7
  ClientAliveCountMax: "3", // 5.1.7
  LogLevel: "VERBOSE", // 5.1.14; fail2ban reads it
  KexAlgorithms: "sntrup761x25519-sha512@openssh.com,curve25519-sha256,curve25519-sha256@libssh.org", // 5.1.12
  Ciphers: "chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,aes128-gcm@openssh.com", // 5.1.6
  MACs: "hmac-sha2-512-etm@openssh.com,hmac-sha2-256-etm@openssh.com", // 5.1.15
};

/**
 * What a jump host has in the place of `DisableForwarding`: connections to other machines' SSH servers go through it, and
 * nothing else does. Who they are is still asked for by those machines.
 */
const jumpHostSettings: Record<string, string> = {
  AllowTcpForwarding: "local",
  PermitOpen: "*:22",
  AllowAgentForwarding: "no",
  AllowStreamLocalForwarding: "no",
  GatewayPorts: "no",
  PermitTunnel: "no",
};

/**
 * The drop-in's text.
 *
 * @param users accounts besides root that may log in (5.1.4); default: none
 * @param jumpHost other machines are reached through this one; default: false
 */
export function sshdDropIn(users: string[] = [], jumpHost = false): string {
  const settings = Object.entries({ ...sshdSettings, AllowUsers: ["root", ...users].join(" ") });
  return settings
    .flatMap((setting) =>
      jumpHost && setting[0] === "DisableForwarding" ? Object.entries(jumpHostSettings) : [setting],
    )
    .map(([key, value]) => `${key} ${value}\n`)
    .join("");
}

/** Shell that has the SSH server read the drop-in, and asks what it really goes by: another file may come first. */
export const sshdScript = `
chmod 600 /etc/ssh/sshd_config # CIS 5.1.1
case "$changed" in *${sshdFile}*)
  sshd -t || fail "the SSH server refuses ${sshdFile}"
  systemctl reload ssh 2> /dev/null || systemctl reload sshd
esac
effective=$(sshd -T)
for wanted in 'passwordauthentication no' 'kbdinteractiveauthentication no' 'permitemptypasswords no' 'authenticationmethods publickey'; do
  grep -qixF "$wanted" <<< "$effective" || fail "the SSH server does not go by ${sshdFile} (it lacks \"$wanted\"): does /etc/ssh/sshd_config include the folder, before anything else?"
done`;
