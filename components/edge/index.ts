export * from "./local-names";
export * from "./routes";
export * from "./traefik";
