-- A step of a saga updates its row in place (HOT): no index holds a column that changes with each step, and a page keeps
-- room for the next version of its rows. Few sagas run at a time, so whoever looks for passed deadlines reads them all.
drop index sagas_deadline;
create index sagas_running on sagas (saga_id) where status = 'RUNNING';
alter table sagas set (fillfactor = 60);

-- Log and saga are written by one statement; checking the one against the other again costs a look-up for every entry.
alter table saga_events drop constraint saga_events_saga_id_fkey;
