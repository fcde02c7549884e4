-- What went wrong, and who was told of it: a restart tells nobody twice and forgets nobody.

CREATE TABLE errors (
  id          TEXT NOT NULL PRIMARY KEY,
  type        TEXT NOT NULL,
  broker      TEXT NOT NULL, -- empty: the sidecar itself
  subject     TEXT NOT NULL, -- what it is about within the broker
  first_at    REAL NOT NULL, -- this and all other times: Unix seconds
  last_at     REAL NOT NULL,
  count       INTEGER NOT NULL,
  notified    INTEGER NOT NULL, -- notifications sent
  resolved_at REAL, -- NULL while it lasts
  resolution  TEXT NOT NULL,
  note        TEXT NOT NULL,
  context     TEXT NOT NULL -- JSON; never a secret
) STRICT;

CREATE TABLE notices (
  channel  TEXT NOT NULL,
  type     TEXT NOT NULL,
  broker   TEXT NOT NULL,
  told_at  REAL, -- when the channel was last told that it lasts; NULL before the first time
  open     INTEGER NOT NULL, -- whether the channel was told that it lasts, and not yet that it is over
  pending  TEXT, -- what the channel is to be told; NULL for nothing
  due_at   REAL,
  attempts INTEGER NOT NULL, -- how often telling it has failed
  PRIMARY KEY (channel, type, broker)
) STRICT;
