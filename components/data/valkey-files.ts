import { Bytes } from "../workload";

/** Where the pod finds things; every path is read-only. */
export const paths = {
  config: "/etc/valkey",
  /** Certificate and key of the server, and the CA of its clients. */
  tls: "/etc/groundwork/server-tls",
  /** Client certificate of the pod's own probes and of the reloader. */
  probe: "/etc/groundwork/probe-tls",
  /** The ACL file. */
  users: "/etc/groundwork/users",
  /** Password of the reloader. */
  reloader: "/etc/groundwork/reloader",
  /** The reloader's sign of life: the only thing that is written. */
  beat: "/run/reloader",
};

export const port = 6379;

/** Seconds between two looks at the certificate files; the kubelet itself brings changes within about a minute. */
const lookEvery = 5;
/** Seconds without a sign of life after which the reloader is started anew. */
const silence = 60;

/** Share of the container's memory that values may take: the rest is for clients' buffers and fragmentation. */
const share = 0.6;

/** What the container's memory leaves for values, in bytes. */
export function maxMemory(memory: Bytes): number {
  const unit = memory.endsWith("Gi") ? 2 ** 30 : 2 ** 20;
  return Math.floor(Number.parseInt(memory, 10) * unit * share);
}

/** The server's configuration: TLS and nothing else, nothing on disk, the least used values make room for new ones. */
export function planServerConfig(memory: Bytes): string {
  return [
    "bind * -::*",
    "port 0",
    `tls-port ${port}`,
    `tls-cert-file ${paths.tls}/tls.crt`,
    `tls-key-file ${paths.tls}/tls.key`,
    `tls-ca-cert-file ${paths.tls}/ca.crt`,
    "tls-auth-clients yes",
    'tls-protocols "TLSv1.2 TLSv1.3"',
    "protected-mode yes",
    `aclfile ${paths.users}/users.acl`,
    'save ""',
    "appendonly no",
    "databases 1",
    `maxmemory ${maxMemory(memory)}`,
    "maxmemory-policy allkeys-lru",
    "maxclients 256",
    "tcp-keepalive 60",
    // A cache has nothing to finish when it is told to stop.
    "shutdown-timeout 0",
    "enable-debug-command no",
    "enable-module-command no",
    "",
  ].join("\n");
}

/**
 * The ACL file. Passwords stand in it as SHA-256, as Valkey itself saves them. The client may read and write values; what
 * administers, blocks, runs scripts or looks at everything at once is nobody's.
 */
export function planUsers(client: string, digests: { client: string; reloader: string }): string {
  return [
    "user default reset",
    `user ${client} reset on #${digests.client} ~* +@read +@write +@transaction +@connection -@admin -@dangerous -@blocking -@scripting`,
    `user reloader reset on #${digests.reloader} +config|set`,
    "user probe reset on nopass +ping",
    "",
  ].join("\n");
}

const cli = [
  "valkey-cli -h 127.0.0.1",
  `-p ${port}`,
  "--tls",
  `--cacert ${paths.tls}/ca.crt`,
  `--cert ${paths.probe}/tls.crt`,
  `--key ${paths.probe}/tls.key`,
].join(" ");

/** Asks the server over TLS, as its clients do. The user `probe` can do nothing else. */
export const probeScript = `#!/bin/sh
# Exit status 0 when the server answers a TLS client that has a certificate.
answer=$(printf 'AUTH probe x\\nPING\\n' | ${cli} 2>&1)
case $answer in
*PONG*) exit 0 ;;
*) echo "$answer"; exit 1 ;;
esac
`;

/**
 * Gives the server its renewed certificate: Valkey reads the files when they are named to it again, certificate and key in
 * one command, and open connections stay (Valkey 9.1 can watch by itself; 8.x can't). The password goes through a pipe.
 */
export const reloadScript = `#!/bin/sh
# Watches the certificate's files and has the server read them again.
trap 'exit 0' TERM INT
cd ${paths.tls} || exit 1
seen=
while :; do
  now=$(cat tls.crt tls.key ca.crt | cksum)
  if [ "$now" != "$seen" ]; then
    answer=$({
      printf 'AUTH reloader %s\\n' "$(cat ${paths.reloader}/password)"
      printf 'CONFIG SET tls-cert-file %s tls-key-file %s tls-ca-cert-file %s\\n' "$PWD/tls.crt" "$PWD/tls.key" "$PWD/ca.crt"
    } | ${cli} 2>&1)
    if [ "$answer" = "OK
OK" ]; then
      seen=$now
      echo "certificate loaded"
    else
      echo "certificate not loaded: $answer"
    fi
  fi
  # Only who has brought the newest certificate to the server is alive.
  if [ "$now" = "$seen" ]; then date +%s > ${paths.beat}/beat; fi
  sleep ${lookEvery} &
  wait $!
done
`;

/** Exit status 0 when the reloader's last sign of life is young. */
export const beatScript = `#!/bin/sh
read -r beat < ${paths.beat}/beat || exit 1
[ $(($(date +%s) - beat)) -lt ${silence} ]
`;
