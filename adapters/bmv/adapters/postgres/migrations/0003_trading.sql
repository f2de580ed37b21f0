-- What a live session knows at a glance, without reading its journal: runs, orders, fills, balances, breaker, commands.
-- Prices are ticks, sizes lots, money quanta, times nanoseconds UTC; an id of the chain is an unsigned number.

create table bmv.run (
    id            bigint generated always as identity primary key,
    session       text not null unique references bmv.session,
    mode          text not null check (mode in ('paper', 'live')),
    market        text not null,
    epoch         bigint not null check (epoch >= 0),
    code          text not null,
    config_sha256 bytea not null check (length(config_sha256) = 32),
    started_ns    bigint not null,
    ended_ns      bigint check (ended_ns >= started_ns),
    exit_code     smallint,
    unique (market, mode, epoch),
    check ((ended_ns is null) = (exit_code is null))
);
comment on column bmv.run.epoch is 'Grows with every start in a market; what an older one sends is stale.';
comment on column bmv.run.code is 'Version and commit that ran.';

create table bmv.orders (
    run         bigint not null references bmv.run,
    id          bigint not null,
    client_id   bmv.u64,
    venue_id    bmv.u128,
    side        smallint not null check (side in (-1, 1)),
    level       integer not null,
    tif         smallint not null check (tif between 0 and 2),
    price       bigint not null check (price > 0),
    size        bigint not null check (size > 0),
    filled      bigint not null default 0 check (filled >= 0 and filled <= size),
    state       text not null default 'intended' check (state in
                    ('intended', 'sent', 'resting', 'unknown', 'filled', 'cancelled', 'rejected', 'expired')),
    reason      smallint not null default 0,
    slot        bmv.u64,
    decided_ns  bigint not null,
    accepted_ns bigint,
    done_ns     bigint,
    primary key (run, id),
    check (state <> 'filled' or filled = size),
    check (state <> 'rejected' or filled = 0),
    check ((done_ns is not null) = (state in ('filled', 'cancelled', 'rejected', 'expired')))
);
create unique index order_at_venue on bmv.orders (venue_id) where venue_id is not null;
create index order_open on bmv.orders (run) where done_ns is null;
comment on column bmv.orders.venue_id is 'OpenBook: the 128-bit key of the order in the book.';
comment on column bmv.orders.state is 'unknown: sent, and nobody can tell yet; it counts as resting until somebody can.';

-- An order lives one way only. The same table stands in code; here it holds whoever writes.
create function bmv.live_one_way() returns trigger language plpgsql as $$
declare
    legal constant text[] := array[
        'intended>sent', 'intended>cancelled', 'intended>rejected',
        'sent>resting', 'sent>unknown', 'sent>filled', 'sent>cancelled', 'sent>rejected', 'sent>expired',
        'unknown>sent', 'unknown>resting', 'unknown>filled', 'unknown>cancelled', 'unknown>rejected',
        'unknown>expired', 'resting>unknown', 'resting>filled', 'resting>cancelled', 'resting>expired'];
begin
    if old.done_ns is not null then
        raise exception 'order % of run % has ended: %', old.id, old.run, old.state using errcode = 'BM003';
    end if;
    if new.state <> old.state and not (old.state || '>' || new.state) = any (legal) then
        raise exception 'order % of run % cannot go from % to %', old.id, old.run, old.state, new.state
            using errcode = 'BM003';
    end if;
    if new.filled < old.filled then
        raise exception 'order % of run %: filled fell from % to %', old.id, old.run, old.filled, new.filled
            using errcode = 'BM003';
    end if;
    if (new.run, new.id, new.side, new.price, new.size) <> (old.run, old.id, old.side, old.price, old.size) then
        raise exception 'order % of run % is what it is: side, price and size stay', old.id, old.run
            using errcode = 'BM003';
    end if;
    return new;
end $$;
create trigger live_one_way before update on bmv.orders for each row execute function bmv.live_one_way();

create table bmv.fill (
    run        bigint not null,
    order_id   bigint not null,
    seq        integer not null check (seq >= 0),
    venue_ns   bigint not null,
    known_ns   bigint not null,
    price      bigint not null check (price > 0),
    size       bigint not null check (size > 0),
    fee        bigint not null,
    liquidity  smallint not null check (liquidity between 0 and 2),
    slot       bmv.u64,
    signature  text,
    primary key (run, order_id, seq),
    foreign key (run, order_id) references bmv.orders
);
comment on column bmv.fill.fee is 'Quanta of quote, positive when we pay.';

create table bmv.balance (
    run        bigint not null references bmv.run,
    ts_ns      bigint not null,
    asset      text not null check (asset <> ''),
    raw        bmv.u64 not null,
    slot       bmv.u64 not null,
    primary key (run, asset, slot)
);
comment on column bmv.balance.raw is 'In the asset''s smallest unit, as the chain counts it.';

-- The last state of each market's breaker is the row with the highest number; none is ever changed.
create table bmv.breaker (
    id      bigint generated always as identity primary key,
    market  text not null,
    mode    text not null check (mode in ('paper', 'live')),
    ts_ns   bigint not null,
    tier    text not null check (tier in ('armed', 'warn', 'reduce', 'halt')),
    peak    bigint not null,
    equity  bigint not null,
    why     text not null
);
create index breaker_last on bmv.breaker (market, mode, id desc);
comment on table bmv.breaker is 'Every change of a circuit breaker; peak and equity in quanta of quote.';

create table bmv.command (
    id       bigint generated always as identity primary key,
    run      bigint references bmv.run,
    ts_ns    bigint not null,
    operator text not null check (operator <> ''),
    code     smallint not null check (code between 1 and 4),
    argument text not null default ''
);
comment on table bmv.command is 'What operators said, and who; code as in bmv.ports.messages.Command.';

create trigger append_only before update or delete or truncate on bmv.fill
    for each statement execute function bmv.refuse_change();
create trigger append_only before update or delete or truncate on bmv.balance
    for each statement execute function bmv.refuse_change();
create trigger append_only before update or delete or truncate on bmv.breaker
    for each statement execute function bmv.refuse_change();
create trigger append_only before update or delete or truncate on bmv.command
    for each statement execute function bmv.refuse_change();
