-- Which days of a lake were to be loaded, so that one that was broken off is not taken for a whole one.
create table bmv.load (
    market text not null check (market <> ''),
    day    integer not null,
    rows   bigint not null check (rows >= 0),
    epoch  bigint,
    done   boolean not null default false,
    primary key (market, day),
    check (epoch is not null or not done)
);
comment on table bmv.load is 'Days of a market that `bmv db load` was asked for; who reads one that is not done is refused.';
comment on column bmv.load.day is 'Number of the UTC day since 1970-01-01.';
comment on column bmv.load.rows is 'How many the day''s file has.';
comment on column bmv.load.epoch is 'That of its stream, which tells one file of the day from another; null: not begun.';
