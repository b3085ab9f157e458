create table payments (
    order_id   uuid primary key,  -- an order is charged at most once
    saga_id    uuid not null,
    amount     numeric(12, 2) check (amount > 0),
    status     text not null check (status in ('CHARGED', 'FAILED', 'REFUNDED', 'VOIDED')),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    reason     text,
    version    int not null default 1,
    check (amount is not null or status = 'VOIDED')  -- only a tombstone has no amount
);
create index payments_created_at on payments (created_at);
