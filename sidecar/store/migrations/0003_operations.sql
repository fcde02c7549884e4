-- Operations: several orders that belong together, and every step that was taken for them.

ALTER TABLE orders ADD COLUMN filled TEXT; -- a decimal number; NULL where the broker has not told

CREATE TABLE operations (
  seq        INTEGER PRIMARY KEY AUTOINCREMENT,
  id         TEXT NOT NULL UNIQUE,
  broker     TEXT NOT NULL,
  type       TEXT NOT NULL,
  client_id  TEXT, -- the bot's own name of it; NULL where it gave none
  state      TEXT NOT NULL,
  intent     TEXT NOT NULL, -- JSON: what the bot asked for; never a secret
  record     TEXT NOT NULL, -- JSON: its legs, with what undoes each of them
  created_at REAL NOT NULL, -- Unix seconds, like all times
  updated_at REAL NOT NULL,
  UNIQUE (broker, client_id)
) STRICT;

CREATE INDEX operations_by_state ON operations (state, seq);
CREATE INDEX operations_by_age ON operations (updated_at);

CREATE TABLE operation_steps (
  operation_id TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
  at           REAL NOT NULL,
  step         TEXT NOT NULL,
  detail       TEXT NOT NULL
) STRICT;

CREATE INDEX operation_steps_by_operation ON operation_steps (operation_id);
