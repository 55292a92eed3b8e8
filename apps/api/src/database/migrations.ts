/** One step of the schema. A released step never changes: its checksum is kept in the database. */
export interface Migration {
  /** Ascending from 1 without gaps. */
  id: number;
  name: string;
  sql: string;
}

/** Forward only. A step must leave the schema usable by the version before it: both run during a rollout. */
export const migrations: readonly Migration[] = [
  {
    id: 1,
    name: "create items",
    sql: `
CREATE TABLE items (
  id          uuid PRIMARY KEY,
  name        text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
  description text CHECK (char_length(description) <= 2000),
  quantity    integer NOT NULL CHECK (quantity >= 0),
  version     integer NOT NULL DEFAULT 1,
  -- Milliseconds, as a Date holds them: a cursor made from one compares equal.
  created_at  timestamptz(3) NOT NULL DEFAULT now(),
  updated_at  timestamptz(3) NOT NULL DEFAULT now()
);
CREATE INDEX items_newest_first ON items (created_at DESC, id DESC);
`,
  },
  {
    id: 2,
    name: "create idempotency keys",
    sql: `
CREATE TABLE idempotency_keys (
  key          text PRIMARY KEY,
  request_hash bytea NOT NULL,
  item         jsonb,
  created_at   timestamptz(3) NOT NULL DEFAULT now()
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
`,
  },
];
