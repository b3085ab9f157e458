create table reservations (
    order_id   uuid primary key,  -- an order has at most one reservation
    saga_id    uuid not null,
    status     text not null check (status in ('RESERVED', 'FAILED', 'RELEASED', 'VOIDED')),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    reason     text,
    version    int not null default 1
);
create index reservations_created_at on reservations (created_at);
