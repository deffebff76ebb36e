-- A refund the provider refuses is asked for less and less often, each time as a request of its own.
ALTER TABLE payments ADD COLUMN refund_refusals integer NOT NULL DEFAULT 0;

-- Unknown charges and refunds are two queues: thousands of refunds (a cancelled show) must not make one
-- payer wait for his ticket.
DROP INDEX payments_owed;
CREATE INDEX payments_owed ON payments ((status = 'refunding'), next_check_at) WHERE next_check_at IS NOT NULL;
