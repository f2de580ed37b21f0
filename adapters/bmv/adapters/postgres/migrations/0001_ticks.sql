-- Ticks as they are recorded, and what is missing of them.

-- Who wrote rows: a market, a recorder, and which of its starts. Rows name it by a number of 4 bytes.
create table bmv.stream (
    id       integer generated always as identity primary key,
    market   text not null check (market <> ''),
    source   text not null check (source <> ''),
    epoch    bigint not null check (epoch >= 0),
    next_seq bigint not null default 0,
    unique (market, source, epoch)
);
comment on table bmv.stream is 'Who wrote rows: a market, a recorder, and which of its starts (epoch).';
comment on column bmv.stream.next_seq is 'No row with this number or a higher one is kept.';

-- Each append takes the next number, so that rows of one instant stay in the order in which they were kept.
create sequence bmv.batch;

create table bmv.tick (
    ts_ns    bigint not null,
    stream   integer not null,
    seq      bigint not null,
    batch    bigint not null,
    kind     smallint not null,
    side     smallint not null,
    price    bigint not null,
    size     bigint not null,
    bid      bigint not null,
    bid_size bigint not null,
    ask      bigint not null,
    ask_size bigint not null
) partition by range (ts_ns);
comment on table bmv.tick is 'Ticks, one partition a UTC day; for people there is the view bmv.ticks.';
comment on column bmv.tick.ts_ns is 'Nanoseconds since 1970 UTC.';
comment on column bmv.tick.seq is 'Number within the stream; what has the same is the same row.';
comment on column bmv.tick.batch is 'Order of arrival: by batch, then by seq.';
comment on column bmv.tick.kind is '1 trade, 2 quote, 3 depth.';
comment on column bmv.tick.side is '1 bought or bid, -1 sold or ask, 0 not recorded or none.';
comment on column bmv.tick.price is 'Ticks; of a trade or a depth level, else 0.';
comment on column bmv.tick.size is 'Lots; of a trade, or what a depth level now shows; -1 not recorded.';
comment on column bmv.tick.bid is 'Ticks; best bid after the change, 0 when there is none.';
comment on column bmv.tick.bid_size is 'Lots; -1 not recorded.';

-- A unique index of a partitioned table must hold the key of the partition; a row sent twice has the same time.
create unique index tick_once on bmv.tick (stream, seq, ts_ns);
-- Rows lie in the order of time as they arrive, so that a summary of each 32 pages is all that a window needs.
create index tick_time on bmv.tick using brin (ts_ns) with (pages_per_range = 32);

create table bmv.gap (
    market  text not null check (market <> ''),
    source  text not null check (source <> ''),
    from_ns bigint not null,
    to_ns   bigint not null check (to_ns > from_ns),
    why     text not null,
    primary key (market, source, from_ns, to_ns, why)
);
comment on table bmv.gap is 'Nothing was recorded after from_ns and before to_ns.';

-- Make the partitions of `days` UTC days from `first_day` on (a day is a number since 1970-01-01). A partition is made
-- aside and then attached, which waits for no reader, as `create table … partition of` would.
create function bmv.make_days(first_day integer, days integer) returns void language plpgsql as $$
declare
    day_ns constant bigint := 86400000000000;
    name text;
begin
    perform pg_advisory_xact_lock(hashtext('bmv.make_days'));
    for day in first_day .. first_day + days - 1 loop
        name := 'tick_' || to_char(date '1970-01-01' + day, 'YYYYMMDD');
        continue when to_regclass('bmv.' || name) is not null;
        execute format('create table bmv.%I (like bmv.tick including comments)', name);
        execute format('alter table bmv.tick attach partition bmv.%I for values from (%s) to (%s)',
                       name, day * day_ns, (day + 1) * day_ns);
    end loop;
end $$;

-- The days there are partitions of, oldest first, as numbers since 1970-01-01.
create view bmv.tick_day as
select to_date(right(child.relname, 8), 'YYYYMMDD') - date '1970-01-01' as day, child.oid as partition
from pg_inherits join pg_class child on child.oid = inhrelid
where inhparent = 'bmv.tick'::regclass
order by 1;

create view bmv.ticks as
select
    stream.market, stream.source, stream.epoch, tick.seq,
    timestamptz 'epoch' + tick.ts_ns / 1000 * interval '1 microsecond' as at, tick.ts_ns,
    (array['trade', 'quote', 'depth'])[tick.kind] as kind,
    case when tick.kind <> 2 then nullif(tick.side, 0) end as side,
    case when tick.kind <> 2 then tick.price end as price,
    case when tick.kind <> 2 then nullif(tick.size, -1) end as size,
    case when tick.kind <> 1 then nullif(tick.bid, 0) end as bid,
    case when tick.kind <> 1 and tick.bid <> 0 then nullif(tick.bid_size, -1) end as bid_size,
    case when tick.kind <> 1 then nullif(tick.ask, 0) end as ask,
    case when tick.kind <> 1 and tick.ask <> 0 then nullif(tick.ask_size, -1) end as ask_size
from bmv.tick join bmv.stream on stream.id = tick.stream;
comment on view bmv.ticks is 'Ticks as people read them: absent is null, times to the microsecond beside nanoseconds.';
