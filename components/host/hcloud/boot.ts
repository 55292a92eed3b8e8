import { writeFiles } from "../remote-script";
import { uplinkCommands, uplinkFiles, type Uplink } from "./uplink";

/** Where K3s keeps the volumes of its class local-path (docs.k3s.io/storage), and so what a machine's own volume is for. */
export const dataFolder = "/var/lib/rancher/k3s/storage";

export interface BootPlan {
  /** Set for a machine without public addresses. */
  uplink?: Uplink;
  /** The machine's volume, by its path there. */
  volume?: { device: string; gigabytes: number };
}

/** What a machine says of itself once it is up. */
export interface Booted {
  /** It is a container, as the emulator's are, and so shares the kernel of the computer that holds it. */
  sharesKernel: boolean;
}

/** Seconds that cloud-init may take: it has next to nothing to do. */
const initLimit = 300;

/**
 * The first script on a new machine: waits for the end of its first start, keeps its way out, mounts its volume. A volume that
 * holds a filesystem is never made anew, and grows with its size in the settings.
 */
export function bootScript({ uplink, volume }: BootPlan): string {
  return `
if command -v cloud-init > /dev/null; then
  code=0
  timeout ${initLimit} cloud-init status --wait > /dev/null 2>&1 || code=$?
  # 2 is: done, with something to remark.
  case $code in
    0 | 2) ;;
    124) fail "the first start did not end within ${initLimit} s: see cloud-init status --long there" ;;
    *) fail "the first start failed: $(cloud-init status --long 2> /dev/null | tr '\\n' ' ')" ;;
  esac
fi
${uplink === undefined ? "" : uplinkScript(uplink)}
${volume === undefined ? "" : volumeScript(volume)}
systemd-detect-virt --container --quiet && echo container || echo machine`;
}

const uplinkScript = (uplink: Uplink): string => `${writeFiles(uplinkFiles(uplink))}
if [ -n "$changed" ] || ! ip -4 route show default | grep -q .; then
${uplinkCommands.map((command) => `  ${command}`).join("\n")}
fi
await 30 1 ip -4 route get 185.12.64.1 || fail "the machine has no way out: $(ip -4 route show default)"`;

const volumeScript = ({ device, gigabytes }: NonNullable<BootPlan["volume"]>): string => `
device='${device}' # ${gigabytes} GB
await 60 1 test -b "$device" || fail "the volume $device does not appear"
blkid "$device" > /dev/null || mkfs.ext4 -q "$device" || fail "no filesystem can be made on $device"
uuid=$(blkid -o value -s UUID "$device")
mkdir -p ${dataFolder}
sed -i '\\|^UUID=[^ ]* ${dataFolder} |d' /etc/fstab
echo "UUID=$uuid ${dataFolder} ext4 defaults,discard,nofail 0 2" >> /etc/fstab
systemctl daemon-reload
mountpoint -q ${dataFolder} || mount ${dataFolder} || fail "the volume $device can't be mounted"
resize2fs "$device" > /dev/null 2>&1 || fail "the filesystem on $device does not grow"`;

/** What the script printed. */
export const bootedOf = (printed: string): Booted => ({ sharesKernel: printed.trim() === "container" });
