import type { RemoteFile } from "./remote-script";

/** Where the settings of the journal go; a machine of nspawn has the file from its first start on. */
export const journaldFile = "/etc/systemd/journald.conf.d/10-groundwork.conf";
/** journald.conf(5); CIS Debian 12, 6.2.1: the journal outlives a restart, and never fills the disk. */
export const journaldText = "[Journal]\nStorage=persistent\nCompress=yes\nSystemMaxUse=128M\nMaxRetentionSec=90day\n";

const coreLimitFile = "/etc/security/limits.d/90-groundwork-core.conf";
const coreDumpFile = "/etc/systemd/coredump.conf.d/10-groundwork.conf";
const coreManagerFile = "/etc/systemd/system.conf.d/20-groundwork-core.conf";
const tmpUnit = "/etc/systemd/system/tmp.mount";

/** Files of the baseline that need no package. Core dumps hold whatever a process knows, keys included (CIS 1.5.3). */
export function systemFiles(): RemoteFile[] {
  return [
    { path: journaldFile, content: journaldText },
    { path: coreLimitFile, content: "* hard core 0\nroot hard core 0\n" },
    { path: coreDumpFile, content: "[Coredump]\nStorage=none\nProcessSizeMax=0\n" },
    { path: coreManagerFile, content: "[Manager]\nDefaultLimitCORE=0\n" },
  ];
}

/**
 * /tmp in memory, without set-user-id programs and devices (CIS 1.1.2.1). Not `noexec`, which the benchmark also asks for:
 * Debian's packages run their configuration scripts from there, and security upgrades would stop.
 */
const tmpText = `[Unit]
Description=Temporary folder
ConditionPathIsSymbolicLink=!/tmp
DefaultDependencies=no
Conflicts=umount.target
Before=local-fs.target umount.target
After=swap.target

[Mount]
What=tmpfs
Where=/tmp
Type=tmpfs
Options=mode=1777,strictatime,nosuid,nodev,size=25%,nr_inodes=1m

[Install]
WantedBy=local-fs.target
`;

/** Shell for accounts, the journal, core dumps, and on a kernel of its own /tmp and the clock. */
export const systemScript = `
# The star, and not a lock: no password matches it, and keys go on working also where SSH does without PAM.
case "$(getent shadow root | cut -d: -f2)" in '*'* | '!'*) ;; *) usermod --password '*' root ;; esac
empty=$(awk -F: '$2 == "" { print $1 }' /etc/shadow | tr '\\n' ' ')
[ -z "$empty" ] || fail "these accounts have an empty password: $empty; lock them with passwd --lock"
case "$changed" in *system.conf.d*) systemctl daemon-reload ;; esac
case "$changed" in *${journaldFile}*) systemctl restart systemd-journald ;; esac
if [ -n "$own_kernel" ] && ! grep -qE '^[^#]+[[:space:]]/tmp[[:space:]]' /etc/fstab; then
  # From the next start on: mounting it now would hide what programs have put there.
  put 644 '${tmpUnit}' <<'TMP'
${tmpText}TMP
  systemctl enable --quiet tmp.mount
fi`;

/** Shell: certificates, tokens and etcd's leases go by the clock. A container has the clock of the computer that holds it. */
export const clockScript = `
clock=''
for unit in chrony chronyd ntpsec ntp systemd-timesyncd; do
  ! systemctl is-active --quiet $unit.service || clock=$unit
done
if [ -z "$clock" ]; then
  packages systemd-timesyncd
  systemctl unmask --quiet systemd-timesyncd.service 2> /dev/null || true
  switch_on systemd-timesyncd.service || fail "nothing keeps the clock right: install chrony there"
fi`;

/** Takes back what is not among the baseline's files; the lock on root's password stays. */
export const systemRemoval = `
systemctl disable --quiet tmp.mount 2> /dev/null || true
rm -f '${coreLimitFile}' '${coreDumpFile}' '${coreManagerFile}' '${tmpUnit}'
rmdir "$(dirname '${coreDumpFile}')" "$(dirname '${coreManagerFile}')" "$(dirname '${journaldFile}')" 2> /dev/null || true`;
