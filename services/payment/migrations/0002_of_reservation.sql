-- A cancelled reservation asks for its payment by this (stores' refunds, the admin's view); without it
-- every cancellation reads all payments of all sales.
CREATE INDEX payments_of_reservation ON payments (reservation_id) WHERE reservation_id IS NOT NULL;
