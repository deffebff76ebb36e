CREATE TABLE effects (event_id uuid NOT NULL);
