create table orders (
    order_id     uuid primary key,
    user_id      text not null,
    total_amount numeric(12, 2) not null check (total_amount > 0),
    status       text not null check (status in ('PENDING', 'CONFIRMED', 'CANCELLED')),
    created_at   timestamptz not null default now(),
    updated_at   timestamptz not null default now(),
    version      int not null default 1
);
create index orders_created_at on orders (created_at);
