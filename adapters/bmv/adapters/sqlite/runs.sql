-- What a live session knows at a glance: runs, orders, fills, balances, breaker, operator commands; the columns are
-- those of Postgres. Numbers of the chain, unsigned, of 64 and 128 bits, fit no integer of SQLite: they are hexadecimal
-- texts of 16 and 32 digits, which sort and compare as the numbers do.
create table run (
    id            integer primary key,
    session       text not null unique references session,
    mode          text not null check (mode in ('paper', 'live')),
    market        text not null check (market <> ''),
    epoch         integer not null check (epoch >= 0),
    code          text not null,
    config_sha256 blob not null check (length(config_sha256) = 32),
    started_ns    integer not null,
    ended_ns      integer check (ended_ns >= started_ns),
    exit_code     integer,
    batches       integer not null default 0 check (batches >= 0),
    last_batch    blob check (length(last_batch) = 32),
    unique (market, mode, epoch),
    check ((ended_ns is null) = (exit_code is null))
) strict;

create table orders (
    run         integer not null references run,
    id          integer not null,
    client_id   text check (length(client_id) = 16 and client_id not glob '*[^0-9a-f]*'),
    venue_id    text check (length(venue_id) = 32 and venue_id not glob '*[^0-9a-f]*'),
    side        integer not null check (side in (-1, 1)),
    level       integer not null,
    tif         integer not null check (tif between 0 and 2),
    price       integer not null check (price > 0),
    size        integer not null check (size > 0),
    filled      integer not null check (filled >= 0 and filled <= size),
    state       text not null check (state in
                    ('intended', 'sent', 'resting', 'unknown', 'filled', 'cancelled', 'rejected', 'expired')),
    reason      integer not null,
    slot        text check (length(slot) = 16 and slot not glob '*[^0-9a-f]*'),
    decided_ns  integer not null,
    accepted_ns integer,
    done_ns     integer,
    primary key (run, id),
    check (state <> 'filled' or filled = size),
    check (state <> 'rejected' or filled = 0),
    check ((done_ns is not null) = (state in ('filled', 'cancelled', 'rejected', 'expired')))
) strict, without rowid;
create unique index order_at_venue on orders (run, venue_id) where venue_id is not null;
create index order_open on orders (run) where done_ns is null;

create table fill (
    run        integer not null,
    order_id   integer not null,
    seq        integer not null check (seq >= 0),
    venue_ns   integer not null,
    known_ns   integer not null,
    price      integer not null check (price > 0),
    size       integer not null check (size > 0),
    fee        integer not null,
    liquidity  integer not null check (liquidity between 0 and 2),
    slot       text check (length(slot) = 16 and slot not glob '*[^0-9a-f]*'),
    signature  text,
    primary key (run, order_id, seq),
    foreign key (run, order_id) references orders (run, id)
) strict, without rowid;

create table balance (
    id    integer primary key,
    run   integer not null references run,
    ts_ns integer not null,
    asset text not null check (asset <> ''),
    raw   text not null check (length(raw) = 16 and raw not glob '*[^0-9a-f]*'),
    slot  text check (length(slot) = 16 and slot not glob '*[^0-9a-f]*')
) strict;
create index balance_last on balance (run, asset, id);

create table breaker (
    id     integer primary key,
    run    integer not null references run,
    market text not null,
    mode   text not null check (mode in ('paper', 'live')),
    ts_ns  integer not null,
    tier   text not null check (tier in ('armed', 'warn', 'reduce', 'halt')),
    peak   integer not null,
    equity integer not null,
    why    text not null
) strict;
create index breaker_last on breaker (market, mode, id);

create table command (
    id       integer primary key,
    run      integer not null references run,
    ts_ns    integer not null,
    operator text not null check (operator <> ''),
    code     integer not null check (code between 1 and 4),
    argument text not null
) strict;
create index command_of_run on command (run, id);

-- A stale run keeps nothing: every batch counts up `batches`, and so passes here.
create trigger fence before update on run begin
    select raise(abort, 'a run is what it is: session, mode, market, epoch and start stay')
    where (new.id, new.session, new.mode, new.market, new.epoch, new.started_ns)
        is not (old.id, old.session, old.mode, old.market, old.epoch, old.started_ns);
    select raise(abort, 'the run has ended') where old.ended_ns is not null;
    select raise(abort, 'batches of a run never fall') where new.batches < old.batches;
    select raise(abort, 'the run is stale: a newer epoch has begun')
    where new.batches > old.batches
        and exists (select 1 from run where market = new.market and mode = new.mode and epoch > new.epoch);
end;

-- An order lives one way only. The same table stands in code; here it holds whoever writes.
create trigger live_one_way before update on orders begin
    select raise(abort, 'the order has ended') where old.done_ns is not null;
    select raise(abort, 'the order cannot go that way')
    where new.state <> old.state and old.state || '>' || new.state not in (
        'intended>sent', 'intended>cancelled', 'intended>rejected',
        'sent>resting', 'sent>unknown', 'sent>filled', 'sent>cancelled', 'sent>rejected', 'sent>expired',
        'unknown>sent', 'unknown>resting', 'unknown>filled', 'unknown>cancelled', 'unknown>rejected',
        'unknown>expired', 'resting>unknown', 'resting>filled', 'resting>cancelled', 'resting>expired');
    select raise(abort, 'filled of an order never falls') where new.filled < old.filled;
    select raise(abort, 'an order is what it is: side, price and size stay')
    where (new.run, new.id, new.side, new.price, new.size) is not (old.run, old.id, old.side, old.price, old.size);
end;

create trigger run_stays before delete on run begin
    select raise(abort, 'run is never removed');
end;
create trigger order_stays before delete on orders begin
    select raise(abort, 'an order is never removed');
end;
create trigger fill_no_update before update on fill begin
    select raise(abort, 'fill is append-only: no update is allowed');
end;
create trigger fill_no_delete before delete on fill begin
    select raise(abort, 'fill is append-only: no delete is allowed');
end;
create trigger balance_no_update before update on balance begin
    select raise(abort, 'balance is append-only: no update is allowed');
end;
create trigger balance_no_delete before delete on balance begin
    select raise(abort, 'balance is append-only: no delete is allowed');
end;
create trigger breaker_no_update before update on breaker begin
    select raise(abort, 'breaker is append-only: no update is allowed');
end;
create trigger breaker_no_delete before delete on breaker begin
    select raise(abort, 'breaker is append-only: no delete is allowed');
end;
create trigger command_no_update before update on command begin
    select raise(abort, 'command is append-only: no update is allowed');
end;
create trigger command_no_delete before delete on command begin
    select raise(abort, 'command is append-only: no delete is allowed');
end;
