-- What a writer of runs needs: batches that count once, and a fence that a stale run does not pass.

alter table bmv.run
    add column batches bigint not null default 0 check (batches >= 0),
    add column last_batch bytea check (length(last_batch) = 32);
comment on column bmv.run.batches is 'How many batches of changes are kept; the next has this number.';
comment on column bmv.run.last_batch is 'SHA-256 of the last of them, by which the same batch sent again is known.';
create index run_newest on bmv.run (market, mode, epoch desc);

-- Every batch counts up `batches`, and so passes here. A begun successor holds the row of the run before it, so that
-- either the batch is in before the successor begins, or it meets its epoch here.
create function bmv.fence() returns trigger language plpgsql as $$
begin
    if (new.id, new.session, new.mode, new.market, new.epoch, new.started_ns)
        <> (old.id, old.session, old.mode, old.market, old.epoch, old.started_ns) then
        raise exception 'run % is what it is: session, mode, market, epoch and start stay', old.id
            using errcode = 'BM003';
    end if;
    if old.ended_ns is not null then
        raise exception 'run % has ended', old.id using errcode = 'BM003';
    end if;
    if new.batches < old.batches then
        raise exception 'run %: batches fell from % to %', old.id, old.batches, new.batches using errcode = 'BM003';
    end if;
    if new.batches > old.batches and exists (
        select from bmv.run where market = new.market and mode = new.mode and epoch > new.epoch
    ) then
        raise exception 'run % is stale: a newer epoch has begun', old.id using errcode = 'BM004';
    end if;
    return new;
end $$;
create trigger fence before update on bmv.run for each row execute function bmv.fence();

-- Two markets may give the same number to an order, and so may two paper sessions.
drop index bmv.order_at_venue;
create unique index order_at_venue on bmv.orders (run, venue_id) where venue_id is not null;

-- Paper has no slots, and two notices of one slot may differ: the last counts.
alter table bmv.balance drop constraint balance_pkey;
alter table bmv.balance
    alter column slot drop not null,
    add column id bigint generated always as identity primary key;
create index balance_last on bmv.balance (run, asset, id desc);

alter table bmv.breaker add column run bigint references bmv.run;
comment on column bmv.breaker.run is 'Who told it; null: somebody by hand.';
create index command_of_run on bmv.command (run, id);

create trigger never_removed before delete or truncate on bmv.orders
    for each statement execute function bmv.refuse_change();
create trigger never_removed before delete or truncate on bmv.run
    for each statement execute function bmv.refuse_change();
