create table sagas (
    saga_id         uuid primary key,
    order_id        uuid not null unique,
    status          text not null check (status in ('RUNNING', 'COMPLETED', 'FAILED')),
    step            text not null,
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    reason          text,
    position        int not null check (position >= 0),
    direction       text not null check (direction in ('FORWARD', 'BACKWARD')),
    awaiting        uuid,         -- the id of the command whose reply is awaited
    attempt         int not null check (attempt >= 0),
    deadline        timestamptz,  -- when that reply is overdue
    needs_attention text,         -- why an operator should look
    start           jsonb not null,
    seq             int not null check (seq > 0),
    version         int not null default 1,
    check ((status = 'RUNNING') = (awaiting is not null)),
    check ((awaiting is null) = (deadline is null))
);
create index sagas_created_at on sagas (created_at);
create index sagas_deadline on sagas (deadline) where status = 'RUNNING';
create index sagas_needs_attention on sagas (created_at) where needs_attention is not null;

create table saga_events (
    saga_id      uuid not null references sagas,
    seq          int not null check (seq > 0),
    kind         text not null check (kind in ('RECEIVED', 'SENT', 'LATE')),
    type         text not null,
    at           timestamptz not null,
    message_id   uuid not null,
    causation_id uuid,
    body         jsonb not null,
    primary key (saga_id, seq)
);

create table checkout_requests (
    idempotency_key text primary key,
    fingerprint     text not null,
    saga_id         uuid not null references sagas,
    created_at      timestamptz not null default now()
);
