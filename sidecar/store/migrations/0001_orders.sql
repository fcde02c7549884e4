-- What the sidecar must still know after a restart: the orders it carries, and the answers it has given.

CREATE TABLE orders (
  seq             INTEGER PRIMARY KEY AUTOINCREMENT, -- order of acceptance; never used twice
  id              TEXT NOT NULL UNIQUE,
  broker          TEXT NOT NULL,
  client_id       TEXT, -- NULL for a cancel, which has none of its own
  account         TEXT NOT NULL,
  instrument      TEXT NOT NULL,
  kind            TEXT NOT NULL CHECK (kind IN ('order', 'cancel')),
  intent          TEXT NOT NULL, -- JSON; never a secret
  state           TEXT NOT NULL,
  reason          TEXT NOT NULL,
  created_at      REAL NOT NULL, -- this and all other times: Unix seconds
  updated_at      REAL NOT NULL,
  expires_at      REAL NOT NULL,
  attempts        INTEGER NOT NULL DEFAULT 0,
  broker_order_id TEXT NOT NULL DEFAULT '',
  may_have_been_executed INTEGER NOT NULL DEFAULT 0,
  answer          TEXT, -- JSON
  UNIQUE (broker, client_id)
) STRICT;

CREATE INDEX orders_by_state ON orders (broker, state, seq);
CREATE INDEX orders_by_age ON orders (updated_at);

CREATE TABLE order_changes (
  order_id TEXT NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
  at       REAL NOT NULL,
  state    TEXT NOT NULL,
  reason   TEXT NOT NULL
) STRICT;

CREATE INDEX order_changes_by_order ON order_changes (order_id);

CREATE TABLE idempotency (
  broker      TEXT NOT NULL,
  key         TEXT NOT NULL,
  fingerprint TEXT NOT NULL, -- of the request that came first
  status      INTEGER, -- NULL, like the next four, until there is an answer
  reason      TEXT,
  headers     TEXT, -- JSON: pairs in their order
  body        BLOB,
  fate        TEXT, -- JSON: what became of the call
  created_at  REAL NOT NULL,
  PRIMARY KEY (broker, key)
) STRICT;

CREATE INDEX idempotency_by_age ON idempotency (created_at);

CREATE TABLE facts (
  name  TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL,
  at    REAL NOT NULL
) STRICT;
