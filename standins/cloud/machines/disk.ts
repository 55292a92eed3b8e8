import * as fs from "node:fs";
import * as path from "node:path";
import { hasDefaultRoute } from "../../../components/host/nspawn/changes";
import { makeFolders, Place } from "../../../components/host/nspawn/container";
import { readIfThere } from "../../../components/host/nspawn/process";
import {
  layFile,
  layLink,
  makeHostKey,
  openControllers,
  resolvers,
  setUp,
  startUnit,
} from "../../../components/host/nspawn/seed";
import { CloudError, ServerSpec } from "../backend";
import { readUserData } from "./user-data";

/** Shell that runs once an instance, after its services have begun, as the last stage of cloud-init does. */
const onceUnit = `[Unit]
Description=Commands of user data
After=network.target ssh.service
ConditionPathExists=!/var/lib/cloud/instance/boot-finished

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=-/var/lib/cloud/instance/scripts/runcmd
ExecStartPost=/usr/bin/touch /var/lib/cloud/instance/boot-finished

[Install]
WantedBy=multi-user.target
`;

/** The one question that scripts ask cloud-init. Stands in for its command. */
const cloudInit = `#!/bin/sh
# Stand-in of the cloud's emulator: knows "status" with and without --wait.
[ "$1" = status ] || { echo "the emulator's cloud-init knows status only" >&2; exit 1; }
while [ ! -e /var/lib/cloud/instance/boot-finished ]; do
  [ "$2" = --wait ] || { echo "status: running"; exit 0; }
  sleep 0.2
done
echo "status: done"
`;

/** Writes what makes an image into this server: once, when it is made or rebuilt. From then on its disk is its own. */
export function fillDisk(place: Place, lowers: string[], server: ServerSpec): void {
  const asked = readUserData(server.userData);
  const name = asked.hostname ?? server.name;
  const installed = (of: string): string => readIfThere(path.join(of, "var/lib/dpkg/status")) ?? "";
  const missing = asked.packages.filter(
    (wanted) => !lowers.some((of) => installed(of).includes(`Package: ${wanted}\n`)),
  );
  if (missing.length > 0) {
    throw new CloudError("invalid_input", `the emulator's image has no package ${missing.join(", ")}, and gets none`);
  }
  makeFolders(place);
  const { upper } = place;
  const keys = [...server.sshKeys, ...asked.authorizedKeys].map((key) => key.trim());
  layFile(upper, "/etc/hostname", `${name}\n`);
  layFile(upper, "/etc/hosts", `127.0.0.1 localhost\n127.0.1.1 ${name}\n::1 localhost ip6-localhost ip6-loopback\n`);
  layFile(upper, "/etc/resolv.conf", resolvers(hasDefaultRoute()));
  layFile(upper, "/etc/systemd/system.conf.d/10-emulator.conf", "[Manager]\nDefaultTimeoutStopSec=10s\n");
  layFile(upper, "/etc/systemd/system/groundwork-start.service", startUnit);
  const start = `#!/bin/sh\n${openControllers}${makeHostKey}${asked.boot}`;
  layFile(upper, "/usr/local/lib/groundwork/start", start, 0o755);
  layFile(upper, "/usr/bin/cloud-init", cloudInit, 0o755);
  layFile(upper, "/root/.ssh/authorized_keys", [...new Set(keys)].map((key) => `${key}\n`).join(""), 0o600);
  for (const [file, content] of Object.entries(asked.hostKeys)) {
    layFile(upper, file, content, file.endsWith(".pub") ? 0o644 : 0o600);
  }
  for (const file of asked.files) {
    const before = file.append ? current([upper, ...lowers], file.path) : Buffer.alloc(0);
    layFile(upper, file.path, Buffer.concat([before, file.content]), file.mode);
  }
  layFile(upper, "/etc/systemd/system/cloud-final.service", onceUnit);
  layLink(upper, "/etc/systemd/system/multi-user.target.wants/cloud-final.service", "../cloud-final.service");
  layFile(upper, "/var/lib/cloud/instance/scripts/runcmd", asked.once || "#!/bin/sh\n", 0o700);
  // A snapshot brings those of the server that it was made of.
  fs.rmSync(path.join(upper, "var/lib/cloud/instance/boot-finished"), { force: true });
  setUp(upper);
}

/** What a file holds before anything is appended to it. */
function current(layers: string[], file: string): Buffer {
  const found = layers.map((layer) => path.join(layer, file)).find((one) => fs.existsSync(one));
  return found === undefined ? Buffer.alloc(0) : fs.readFileSync(found);
}
