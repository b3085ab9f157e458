-- The lists of steps that sagas were written under. The position of a saga is one in its own list.
create table saga_definitions (
    fingerprint text primary key,
    name        text not null,
    steps       jsonb not null,
    created_at  timestamptz not null default now()
);
insert into saga_definitions (fingerprint, name, steps) values ('17e0d32bd511', 'checkout', '[
    {"name": "create order", "do": "CreateOrder", "yes": "OrderCreated", "no": "OrderRejected", "undo": "CancelOrder", "undone": "OrderCancelled", "pivot": false, "tries": 5},
    {"name": "charge payment", "do": "ChargePayment", "yes": "PaymentCharged", "no": "PaymentFailed", "undo": "RefundPayment", "undone": "PaymentRefunded", "pivot": false, "tries": 5},
    {"name": "reserve inventory", "do": "ReserveInventory", "yes": "InventoryReserved", "no": "InventoryFailed", "undo": "ReleaseInventory", "undone": "InventoryReleased", "pivot": true, "tries": 5},
    {"name": "confirm order", "do": "ConfirmOrder", "yes": "OrderConfirmed", "pivot": false, "tries": 5}
]');

-- Whoever does not say a list yet, an older process beside this one for instance, means the only one there was.
alter table sagas add column definition text not null default '17e0d32bd511';
