export * from "./routes";
export * from "./traefik";
