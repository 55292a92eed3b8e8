import { Endpoint, hostOf } from "../workload";

/** One way through the edge. */
export interface Route {
  /** Host name, as clients write it. */
  host: string;
  /** Requests whose path begins with it. @default "/" */
  path?: string;
  /** What serves it, plain HTTP. */
  endpoint: Endpoint;
}

/** A year in seconds: what the HSTS preload lists ask for. */
const strictTransportSeconds = 31_536_000;

/** Above the redirect to HTTPS, whose priority is set below this one where both are there. */
export const challengePriority = 1000;

const serviceOf = (endpoint: Endpoint): object => ({
  loadBalancer: { servers: [{ url: `http://${hostOf(endpoint)}:${endpoint.port}` }] },
});

const routeName = (route: Route): string =>
  `${route.host}${route.path ?? "/"}`.replace(/[^a-z0-9]+/gi, "-").replace(/-$/, "");

/**
 * Traefik's dynamic configuration: a router and a service for each route, the certificate for all of them, TLS 1.2 at
 * least, and headers that keep browsers on HTTPS. JSON, which is YAML. `challenges` answers an ACME server's questions,
 * which come without TLS.
 *
 * @throws where two routes claim the same host and path, or a host is no host name
 */
export function planRoutes(routes: Route[], certificateFolder: string, challenges?: Endpoint): string {
  const names = routes.map(routeName);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice) throw new Error(`two routes claim ${twice}: give one of them another host or path`);
  for (const { host } of routes) {
    if (!/^[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(host)) throw new Error(`${host} is no host name that a route may have`);
  }
  const services = routes.map((route): [string, object] => [routeName(route), serviceOf(route.endpoint)]);
  const routers = routes.map((route): [string, object] => [
    routeName(route),
    {
      rule: `Host(\`${route.host}\`) && PathPrefix(\`${route.path ?? "/"}\`)`,
      entryPoints: ["websecure"],
      middlewares: ["secure-headers"],
      service: routeName(route),
      tls: {},
    },
  ]);
  if (challenges) {
    services.push(["acme-challenges", serviceOf(challenges)]);
    routers.push([
      "acme-challenges",
      {
        rule: "PathPrefix(`/.well-known/acme-challenge/`)",
        entryPoints: ["web"],
        priority: challengePriority,
        service: "acme-challenges",
      },
    ]);
  }
  return JSON.stringify(
    {
      // Traefik refuses empty tables.
      ...(routers.length > 0 && {
        http: {
          routers: Object.fromEntries(routers),
          services: Object.fromEntries(services),
          middlewares: { "secure-headers": { headers: planHeaders() } },
        },
      }),
      tls: {
        options: {
          default: {
            minVersion: "VersionTLS12",
            // Forward secrecy and authenticated encryption only; TLS 1.3 chooses for itself.
            cipherSuites: [
              "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
              "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
              "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
            ],
            curvePreferences: ["X25519", "CurveP256", "CurveP384"],
          },
        },
        stores: {
          default: {
            defaultCertificate: {
              certFile: `${certificateFolder}/tls.crt`,
              keyFile: `${certificateFolder}/tls.key`,
            },
          },
        },
      },
    },
    undefined,
    2,
  );
}

function planHeaders(): object {
  return {
    stsSeconds: strictTransportSeconds,
    stsIncludeSubdomains: true,
    forceSTSHeader: true,
    contentTypeNosniff: true,
    frameDeny: true,
    referrerPolicy: "no-referrer",
    // An empty value removes the header: what serves here is nobody's business.
    customResponseHeaders: { Server: "", "X-Powered-By": "" },
  };
}
