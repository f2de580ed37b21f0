-- What a recorder knows of a row beside what it says, and how much a gap has swallowed.

-- Both are null in rows of whose batch nobody knew any: such rows take no more room than before.
alter table bmv.tick add column slot bigint, add column received_ns bigint;
comment on column bmv.tick.slot is 'Slot of the chain that the row is of; null or 0: not known.';
comment on column bmv.tick.received_ns is 'When the row reached its recorder, nanoseconds since 1970 UTC; null or 0: not known.';

alter table bmv.gap
    add column rows bigint check (rows >= 0),
    add column quanta bigint check (quanta >= 0);
comment on column bmv.gap.rows is 'So many rows are missing; null: nobody knows.';
comment on column bmv.gap.quanta is 'So much quote was traded in them, in the market''s quanta; null: nobody knows.';

create or replace view bmv.ticks as
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
    case when tick.kind <> 1 and tick.ask <> 0 then nullif(tick.ask_size, -1) end as ask_size,
    nullif(tick.slot, 0) as slot,
    nullif(tick.received_ns, 0) as received_ns
from bmv.tick join bmv.stream on stream.id = tick.stream;
