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
