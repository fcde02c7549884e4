-- An order that came with an Idempotency-Key: another one under the same key is refused, whatever its client id.

ALTER TABLE orders ADD COLUMN idempotency_key TEXT; -- what is derived from it; NULL where there was none

CREATE UNIQUE INDEX orders_by_key ON orders (broker, idempotency_key);
