export * from "./postgres-operator";
export * from "./postgres";
export { leasedUser, leasingRole, makeLeasingRole, type LeasedUser } from "./leased-user";
export * from "./valkey";
