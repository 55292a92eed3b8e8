import { randomBytes } from "node:crypto";
import { networkSysctls } from "../../components/host/sysctl";
import type { OnMachine } from "./cis";

/** What a machine is expected to have beyond the baseline. */
export interface ExpectedHardening {
  fail2ban: boolean;
  upgrades: boolean;
  /** Addresses and networks that must never be banned. */
  neverBanned?: string[];
}

/** SSH server options as `sshd -T` prints them. */
const ssh = [
  "permitrootlogin without-password",
  "authenticationmethods publickey",
  "passwordauthentication no",
  "kbdinteractiveauthentication no",
  "permitemptypasswords no",
  "hostbasedauthentication no",
  "disableforwarding yes",
  "maxauthtries 4",
  "logingracetime 60",
  "banner none",
  "allowusers root",
];
/** What must not be offered: SHA-1, CBC, small groups. */
const weak = /sha1|cbc|3des|arcfour|group1-|group14-|md5|ssh-dss|umac-64/;

/** One question to the machine: shell that prints lines, and what is wrong with them. */
interface Look {
  script: string;
  wrong: (lines: string[]) => string[];
}

const missing = (wanted: string[], lines: string[], what: string): string[] =>
  wanted.filter((line) => !lines.includes(line)).map((line) => `${what} lacks "${line}"`);

function looks({ fail2ban, upgrades, neverBanned = [] }: ExpectedHardening): Look[] {
  return [
    {
      script: "sshd -T",
      wrong: (lines) => [
        ...missing(ssh, lines, "sshd"),
        ...lines
          .filter((line) => /^(ciphers|macs|kexalgorithms|pubkeyacceptedalgorithms) /.test(line) && weak.test(line))
          .map((line) => `sshd offers weak ${line}`),
      ],
    },
    {
      script: "passwd --status root | cut -d' ' -f2; awk -F: '$2 == \"\" { print $1 }' /etc/shadow",
      wrong: ([root, ...empty]) => [
        ...(root === "L" ? [] : [`root's password is not locked (${root})`]),
        ...empty.map((name) => `${name} has an empty password`),
      ],
    },
    {
      script: Object.keys(networkSysctls)
        .map((key) => `for f in /proc/sys/${key.replaceAll(".", "/")}; do echo "${key} $(cat "$f")"; done`)
        .join("\n"),
      wrong: (lines) =>
        lines
          .map((line) => line.split(" "))
          .filter(([key, value]) => networkSysctls[key!] !== value)
          .map(([key, value]) => `${key} is ${value}`),
    },
    {
      script: "nft list chain inet groundwork input; systemctl is-enabled groundwork-firewall.service",
      wrong: (lines) => [
        ...(lines.some((line) => /hook input .*policy drop;/.test(line))
          ? []
          : ["the firewall lets in what no rule names"]),
        ...(lines.at(-1) === "enabled" ? [] : ["the firewall does not come back with the machine"]),
      ],
    },
    {
      script:
        "ls -d /var/log/journal/*; systemd-analyze cat-config systemd/journald.conf | grep -E '^(Storage|SystemMaxUse)='",
      wrong: (lines) => [
        ...(lines.some((line) => line.startsWith("/var/log/journal/")) ? [] : ["the journal is lost with a restart"]),
        ...missing(["Storage=persistent"], lines, "journald"),
        ...(lines.some((line) => line.startsWith("SystemMaxUse=")) ? [] : ["the journal has no bound"]),
      ],
    },
    {
      script: "systemctl show --property=DefaultLimitCORE --value; su root -s /bin/sh -c 'ulimit -H -c'",
      wrong: (lines) => lines.filter((line) => line !== "0").map((line) => `core dumps may be ${line}`),
    },
    ...(fail2ban
      ? [
          {
            script: "fail2ban-client ping; fail2ban-client get sshd ignoreip; systemctl is-enabled fail2ban.service",
            wrong: (lines: string[]) => [
              ...missing(["Server replied: pong", "enabled"], lines, "fail2ban"),
              ...neverBanned
                .filter((address) => !lines.some((line) => line.endsWith(` ${address}`)))
                .map((address) => `fail2ban may ban ${address}`),
            ],
          },
        ]
      : []),
    ...(upgrades
      ? [
          {
            script:
              "systemctl is-enabled apt-daily.timer apt-daily-upgrade.timer | sort -u; unattended-upgrade --dry-run --verbose 2>&1; echo code $?",
            wrong: (lines: string[]) => [
              ...missing(["enabled", "code 0"], lines, "unattended-upgrades"),
              ...(lines.some((line) => /^Allowed origins are: .*-security/.test(line))
                ? []
                : [`unattended-upgrades knows no security archive: ${lines.join(" / ")}`]),
              ...lines
                .filter((line) => line.startsWith("Allowed origins are: "))
                .filter((line) =>
                  line
                    .slice(21)
                    .split(/, (?=origin=|o=)/)
                    .some((origin) => !origin.includes("-security")),
                )
                .map((line) => `unattended-upgrades takes more than security: ${line}`),
            ],
          },
        ]
      : []),
  ];
}

/** What is wrong with a machine's hardening, as sentences; empty when it is as it should be. One command on the machine. */
export function hostFindings(on: OnMachine, expected: ExpectedHardening): string[] {
  const all = looks(expected);
  const mark = `look-${randomBytes(4).toString("hex")}`;
  const script = all.map(({ script: part }) => `echo ${mark}\n(${part}\n) 2>&1`).join("\n");
  const done = on("bash", "-c", `export PATH=/usr/sbin:/usr/bin:/sbin:/bin\n${script}`);
  const answers = done.stdout.split(`${mark}\n`).slice(1);
  if (answers.length !== all.length)
    return [`the machine answers ${answers.length} of ${all.length} questions: ${done.stderr}`];
  return all.flatMap(({ wrong }, index) =>
    wrong(
      answers[index]!.split("\n")
        .map((line) => line.trim())
        .filter((line) => line !== ""),
    ),
  );
}

/**
 * Whether Secrets are encrypted in etcd, by reading what it has on the server's disk: a value is written as a Secret and, for
 * comparison, as a ConfigMap; the one must not be found there, the other must be.
 */
export function secretsEncryptionFindings(on: OnMachine): string[] {
  const id = `encryption-${randomBytes(6).toString("hex")}`;
  const [hidden, open] = [randomBytes(12).toString("hex"), randomBytes(12).toString("hex")];
  const script = `
export PATH=/usr/local/bin:$PATH LC_ALL=C
trap 'k3s kubectl delete secret,configmap -n kube-system ${id} > /dev/null' EXIT
k3s kubectl create secret generic -n kube-system ${id} --from-literal=value=${hidden} > /dev/null
k3s kubectl create configmap -n kube-system ${id} --from-literal=value=${open} > /dev/null
cd /var/lib/rancher/k3s/server/db/etcd/member
echo "hidden $(cat wal/*.wal snap/db | grep -acF ${hidden})"
echo "open $(cat wal/*.wal snap/db | grep -acF ${open})"
echo "form $(cat wal/*.wal | tr '\\000\\n' '  ' | grep -aoE '/registry/secrets/kube-system/${id}[^/]{0,80}k8s:enc:[a-z]+:v[0-9]+' | grep -aoE 'k8s:enc:[a-z]+' | head -n 1)"
echo "log $(cat /var/lib/rancher/k3s/server/logs/audit*.log | grep -cF -e ${hidden})"
echo "logged $(cat /var/lib/rancher/k3s/server/logs/audit*.log | grep -cF ${id})"`;
  const { stdout, stderr } = on("bash", "-c", script);
  const answer = new Map(stdout.split("\n").map((line) => line.split(" ") as [string, string]));
  const count = (key: string) => Number(answer.get(key) ?? NaN);
  return [
    ...(count("open") > 0 ? [] : [`etcd's files were not read: ${stdout}${stderr}`]),
    ...(count("hidden") === 0 ? [] : ["the value of a Secret stands in etcd as it is"]),
    ...(answer.get("form") === "k8s:enc:secretbox" ? [] : [`a Secret in etcd begins with "${answer.get("form")}"`]),
    ...(count("log") === 0 ? [] : ["the value of a Secret stands in the audit log"]),
    ...(count("logged") > 0 ? [] : ["the audit log does not tell of a Secret that was made"]),
  ];
}
