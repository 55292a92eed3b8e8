/** Name of the package that the tests upgrade on machines. */
export const proofPackage = "groundwork-proof";

/**
 * Shell for a Debian machine: a repository of its own below /opt that is the only one it knows, so that a test of its packages needs no
 * way out and is the same every day. An old version of one package is installed, a newer one is to be had, and that one asks for
 * a restart as a kernel would (/run/reboot-required, Debian policy of update-notifier).
 */
export const offerNewerPackage = `
set -eu
mkdir -p /opt/packages
cd /opt/packages
build() { # VERSION
  local folder
  folder=$(mktemp -d)
  mkdir "$folder/DEBIAN"
  printf 'Package: ${proofPackage}\\nVersion: %s\\nArchitecture: all\\nMaintainer: tests <tests@example.org>\\nDescription: proof\\n' "$1" > "$folder/DEBIAN/control"
  printf '#!/bin/sh\\ntouch /run/reboot-required\\n' > "$folder/DEBIAN/postinst"
  chmod 755 "$folder" "$folder/DEBIAN/postinst"
  dpkg-deb --build --root-owner-group "$folder" "${proofPackage}_$1.deb" > /dev/null
  rm -r "$folder"
}
build 1.0
build 2.0
dpkg --install ${proofPackage}_1.0.deb > /dev/null
rm -f /run/reboot-required ${proofPackage}_1.0.deb
file=${proofPackage}_2.0.deb
{ dpkg-deb --field $file; printf 'Filename: ./%s\\nSize: %s\\nSHA256: %s\\n' $file "$(stat -c %s $file)" "$(sha256sum $file | cut -d' ' -f1)"; } > Packages
rm -f /etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/opt/packages ./' > /etc/apt/sources.list
`;
