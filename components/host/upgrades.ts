import type { RemoteFile } from "./remote-script";
import type { HardeningSettings } from "./settings";

export const upgradesPackages = ["unattended-upgrades"];
/** After Debian's 50unattended-upgrades and 20auto-upgrades, whose lists it clears. */
export const upgradesFile = "/etc/apt/apt.conf.d/90groundwork-upgrades";
const timerFile = "/etc/systemd/system/apt-daily-upgrade.timer.d/10-groundwork.conf";
const timers = "apt-daily.timer apt-daily-upgrade.timer";
const service = "unattended-upgrades.service";

/** Text that apt.conf(5) reads as one string. */
const quoted = (text: string): string => `"${text.replace(/["\\]/g, "")}"`;

/**
 * Files of the unattended security upgrades (wiki.debian.org/UnattendedUpgrades; CIS Debian 12, 1.2.2.1): packages of the
 * distribution's security archive and of nothing else, once a day. K3s is not among them: it is no package, and its version
 * is the lock's.
 */
export function upgradesFiles(settings: HardeningSettings["upgrades"]): RemoteFile[] {
  return [
    {
      path: upgradesFile,
      content: `APT::Periodic::Enable "1";
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
APT::Periodic::AutocleanInterval "7";
#clear Unattended-Upgrade::Allowed-Origins;
#clear Unattended-Upgrade::Origins-Pattern;
Unattended-Upgrade::Origins-Pattern {
  "origin=Debian,codename=\${distro_codename}-security,label=Debian-Security";
  "origin=Ubuntu,archive=\${distro_codename}-security,label=Ubuntu";
};
Unattended-Upgrade::Package-Blacklist { ${settings.hold.map((name) => `${quoted(name)}; `).join("")}};
// A run that is cut short leaves nothing half-installed.
Unattended-Upgrade::MinimalSteps "true";
Unattended-Upgrade::Remove-Unused-Kernel-Packages "true";
Unattended-Upgrade::Automatic-Reboot ${quoted(String(settings.reboot))};
Unattended-Upgrade::Automatic-Reboot-Time ${quoted(settings.rebootAt)};
`,
    },
    {
      path: timerFile,
      // Spread over an hour: the machines of a cluster do not restart their services all at once.
      content: `[Timer]\nOnCalendar=\nOnCalendar=*-*-* ${settings.at}\nRandomizedDelaySec=60m\nPersistent=true\n`,
    },
  ];
}

/** Shell that switches the timers on, or off. */
export function upgradesScript(settings: HardeningSettings["upgrades"]): string {
  if (!settings.enabled) {
    // What a distribution presets on a machine that exists stays.
    return `switch_off ${timers} ${service}\n${upgradesRemoval}`;
  }
  return `
apt-config dump > /dev/null || fail "apt refuses ${upgradesFile}"
case "$changed" in *apt-daily-upgrade.timer.d*) systemctl daemon-reload ;; esac
# A machine of nspawn starts with these masked.
for unit in ${timers}; do [ "$(readlink /etc/systemd/system/$unit)" != /dev/null ] || rm /etc/systemd/system/$unit; done
switch_on ${timers} ${service}`;
}

/** Shell that takes the files back. */
export const upgradesRemoval = `rm -f '${upgradesFile}' '${timerFile}'
rmdir "$(dirname '${timerFile}')" 2> /dev/null || true`;
