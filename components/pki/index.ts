export * from "./local-ca";
