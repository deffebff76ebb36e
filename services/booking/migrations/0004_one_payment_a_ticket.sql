-- The payment (~) a ticket stands on (docs/decisions/0024): a refund of another one takes nothing. NULL where it is not
-- known: before the payment, and in what a release before this one confirmed.
ALTER TABLE reservations ADD COLUMN payment_id uuid;
