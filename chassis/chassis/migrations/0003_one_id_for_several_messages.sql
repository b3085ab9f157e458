-- A stranger may give one id to several messages: what they are about tells them apart. Null: entered by an older version.
alter table inbox add column subject bigint;

-- What the inbox knows the cause by is in causation_id; this is what its sender calls it, where that is another id.
alter table outbox add column given_causation_id uuid;
