/** A kernel setting, `key=value`; a key may hold `*` for every network interface, as sysctl.d(5) reads it. */
type Sysctls = Record<string, string>;

/** What the kubelet demands with `protect-kernel-defaults` (docs.k3s.io/security/hardening-guide). */
export const kubeletSysctls: Sysctls = {
  "vm.panic_on_oom": "0",
  "vm.overcommit_memory": "1",
  "kernel.panic": "10",
  "kernel.panic_on_oops": "1",
};
/** The file is the guide's, and so the one that an auditor looks for. */
export const kubeletSysctlFile = "/etc/sysctl.d/90-kubelet.conf";

const everywhere = (family: "ipv4" | "ipv6", key: string, value: string): Sysctls =>
  Object.fromEntries(["all", "default", "*"].map((place) => [`net.${family}.conf.${place}.${key}`, value]));

/**
 * The network, by number of the CIS Debian Linux 12 Benchmark. All of them belong to a network namespace, so a container
 * has its own. Not taken over: 3.3.1 (a node forwards for its pods) and 3.3.11 (many providers give the IPv6 default route
 * by router advertisement). rp_filter is strict: flannel's routes are symmetric, with a tunnel and without.
 */
export const networkSysctls: Sysctls = {
  ...everywhere("ipv4", "send_redirects", "0"), // 3.3.2
  "net.ipv4.icmp_ignore_bogus_error_responses": "1", // 3.3.3
  "net.ipv4.icmp_echo_ignore_broadcasts": "1", // 3.3.4
  ...everywhere("ipv4", "accept_redirects", "0"), // 3.3.5
  ...everywhere("ipv6", "accept_redirects", "0"), // 3.3.5
  ...everywhere("ipv4", "secure_redirects", "0"), // 3.3.6
  ...everywhere("ipv4", "rp_filter", "1"), // 3.3.7
  ...everywhere("ipv4", "accept_source_route", "0"), // 3.3.8
  ...everywhere("ipv6", "accept_source_route", "0"), // 3.3.8
  "net.ipv4.tcp_syncookies": "1", // 3.3.10
};

/** What belongs to the whole kernel: a container shares these with the computer that holds it, and can't set them. */
export const kernelSysctls: Sysctls = {
  "kernel.randomize_va_space": "2", // CIS 1.5.1
  "kernel.yama.ptrace_scope": "1", // CIS 1.5.2
  "fs.suid_dumpable": "0", // CIS 1.5.3
  "kernel.kptr_restrict": "2", // docs.kernel.org/admin-guide/sysctl/kernel.html: addresses help who attacks the kernel
  "kernel.dmesg_restrict": "1", // the same: the kernel's log tells them, too
  "fs.protected_hardlinks": "1", // docs.kernel.org/admin-guide/sysctl/fs.html: traps in folders that all may write
  "fs.protected_symlinks": "1",
  "fs.protected_fifos": "1",
  "fs.protected_regular": "2",
  "net.ipv4.conf.all.log_martians": "1", // CIS 3.3.9; it writes to the kernel's log
};
export const networkSysctlFile = "/etc/sysctl.d/91-groundwork-network.conf";
export const kernelSysctlFile = "/etc/sysctl.d/91-groundwork-kernel.conf";

/** Content of a file of sysctl.d. */
export const sysctlText = (settings: Sysctls): string =>
  Object.entries(settings)
    .map(([key, value]) => `${key}=${value}\n`)
    .join("");

/**
 * Shell that sets what the files say, beyond what systemd-sysctl does at the next start. A setting that the kubelet demands
 * must hold; of the others, those that this kernel does not have, or a container may not set, are left.
 */
export const sysctlScript = `
sysctls() { # FILE: sets each key, and lists in $wrong those that do not hold then
  wrong=''
  local key value file
  while IFS='=' read -r key value; do
    for file in /proc/sys/\${key//.//}; do
      [ -e "$file" ] || continue
      [ "$(cat "$file")" = "$value" ] || { echo "$value" > "$file"; } 2> /dev/null || wrong="$wrong $key=$value"
    done
  done < "$1"
}
sysctls ${kubeletSysctlFile}
[ -z "$wrong" ] || fail "these kernel settings can't be set from inside and must be set on the computer that holds the machine:$wrong"
sysctls ${networkSysctlFile}
[ -z "$wrong" ] || fail "these settings of the network can't be set:$wrong"
if [ -n "$own_kernel" ]; then
  sysctls ${kernelSysctlFile}
  [ -z "$wrong" ] || fail "these kernel settings can't be set:$wrong"
fi`;
