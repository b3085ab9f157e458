create table counters (
    counter_id uuid primary key,
    total      int not null,
    version    int not null
);
