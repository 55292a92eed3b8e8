/** Programs for the API's pod, which has Node and the certificate that it shows: what a stranger in the cluster would try. */

/** Reads one line's worth of an answer and prints it; prints the error's code where the connection ends in one. */
const listen = `
const done = (text) => { console.log(String(text).replace(/[^\\x20-\\x7e]+/g, " ").slice(0, 300)); process.exit(0); };
const hear = (socket) => {
  socket.on("data", (data) => done(data));
  socket.on("error", (error) => done(error.code + " " + error.message));
  socket.on("close", () => done("closed"));
  setTimeout(() => done("silence"), 8000);
  return socket;
};
const net = require("node:net"), tls = require("node:tls"), fs = require("node:fs");
// Protocol 3.0: user and database, each ended by a zero.
const startup = (() => {
  const body = Buffer.concat([Buffer.from([0, 3, 0, 0]), Buffer.from("user\\0app\\0database\\0app\\0\\0")]);
  const size = Buffer.alloc(4);
  size.writeInt32BE(body.length + 4);
  return Buffer.concat([size, body]);
})();`;

const agentCertificate = `
const pem = fs.readFileSync("/vault/secrets/client.pem", "utf8");
const shown = { cert: pem, key: pem };`;

/** A login at PostgreSQL: without TLS, with TLS, or with TLS and the API's certificate. */
export function postgresLogin(host: string, how: "plain" | "tls" | "certificate"): string {
  if (how === "plain") return `${listen} const s = hear(net.connect(5432, "${host}", () => s.write(startup)));`;
  return `${listen} ${how === "certificate" ? agentCertificate : "const shown = {};"}
    const raw = net.connect(5432, "${host}", () => raw.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])));
    raw.once("data", () => {
      const s = hear(tls.connect({ socket: raw, servername: "${host}", ca: fs.readFileSync("/etc/groundwork/db-ca/ca.crt"), ...shown },
        () => s.write(startup)));
    });
    raw.on("error", (error) => done(error.code));`;
}

/** A PING at Valkey: without TLS, with TLS, or with TLS and the API's certificate. */
export function valkeyPing(host: string, how: "plain" | "tls" | "certificate"): string {
  if (how === "plain") return `${listen} const s = hear(net.connect(6379, "${host}", () => s.write("PING\\r\\n")));`;
  return `${listen} ${how === "certificate" ? agentCertificate : "const shown = {};"}
    const s = hear(tls.connect({ host: "${host}", port: 6379, servername: "${host}", ca: fs.readFileSync("/etc/groundwork/cache-ca/ca.crt"), ...shown },
      () => s.write("PING\\r\\n")));`;
}

/** The API's metrics, which only the inside of its pod and of the cluster can read. */
export const metrics = `fetch("http://127.0.0.1:9464/metrics").then((answer) => answer.text()).then((text) => console.log(text));`;
