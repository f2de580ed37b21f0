-- What a tick and a lot of a market are, without which its whole numbers mean nothing.
create table bmv.market (
    name      text primary key check (name <> ''),
    tick_size numeric not null check (tick_size > 0),
    lot_size  numeric not null check (lot_size > 0)
);
comment on table bmv.market is 'Steps of the markets that say so; who reads ticks in other steps is refused.';
comment on column bmv.market.tick_size is 'Quote per base.';
comment on column bmv.market.lot_size is 'Base.';
