export * from "./postgres-operator";
export * from "./postgres";
