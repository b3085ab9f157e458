-- What every service keeps of its messages, whatever they say.

create table inbox (
    message_id uuid primary key,
    handled_at timestamptz not null default now()
);
create index inbox_handled_at on inbox (handled_at);

create table outbox (
    message_id    uuid primary key,
    causation_id  uuid,
    destination   text not null,
    type          text not null,
    key           uuid not null,
    body          jsonb not null,
    traceparent   text,
    created_at    timestamptz not null default now(),
    publish_after timestamptz not null,  -- the lease: nobody else sends before this moment
    published_at  timestamptz,
    attempts      int not null default 0
);
create index outbox_due on outbox (publish_after) where published_at is null;
create index outbox_causation on outbox (causation_id);
create index outbox_published_at on outbox (published_at);
