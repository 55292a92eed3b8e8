/**
 * Shell function `packages`, which brings Debian packages that are missing. A machine of nspawn has them from its root
 * filesystem, so that none is asked for where there is no network.
 */
export const packagesFunction = `
packages() { # NAME...
  local missing='' package
  for package in "$@"; do
    dpkg-query --show --showformat '\${db:Status-Status}' $package 2> /dev/null | grep -qx installed || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  command -v apt-get > /dev/null || fail "these packages are missing, and there is no apt-get to install them:$missing"
  # Lists of packages that are old name files that are gone: then they are read anew, once.
  get install $missing || { get update && get install $missing; } ||
    fail "these packages are missing and apt-get can't get them:$missing. Where the driver is nspawn: make the machine anew, its root filesystem is an older one. Elsewhere: see there why apt-get install fails"
}
get() { DEBIAN_FRONTEND=noninteractive apt-get -qq --yes --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" > /dev/null 2>&1; }`;

/** Units that the hardening has switched on, so that it can be taken back: what a machine had on before stays on. */
const switchedOn = "/etc/groundwork/switched-on";

/**
 * Shell functions `switch_on` and `switch_off`, each for units. SysV's links are left alone: the units are native, and the
 * links would have other names afterwards.
 */
export const switchFunctions = `
export SYSTEMCTL_SKIP_SYSV=1
switch_on() {
  local unit
  for unit in "$@"; do
    systemctl is-enabled --quiet $unit 2> /dev/null || { mkdir -p /etc/groundwork; systemctl enable --quiet $unit; echo $unit >> ${switchedOn}; }
    systemctl start $unit
  done
}
switch_off() { # UNIT...: those that switch_on switched on; all of them, when none is named
  [ -f ${switchedOn} ] || return 0
  local unit
  for unit in $(grep -xF "$(printf '%s\\n' "\${@:-$(cat ${switchedOn})}")" ${switchedOn}); do
    systemctl disable --quiet --now $unit || true
    [ "$unit" != fail2ban.service ] || rm -f /var/lib/fail2ban/fail2ban.sqlite3
    case $unit in *.timer) rm -f /var/lib/systemd/timers/stamp-$unit; rmdir /var/lib/systemd/timers 2> /dev/null || true ;; esac
    sed -i "/^$unit$/d" ${switchedOn}
  done
  [ -s ${switchedOn} ] || rm -f ${switchedOn}
}`;
