-- A row enters the index of published messages when it is published, not when it is written.
drop index outbox_published_at;
create index outbox_published on outbox (published_at) where published_at is not null;
