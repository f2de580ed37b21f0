-- The journal: every word of a session, in order, each chained to the one before it, and none ever changed.

-- Values of the chain that no bigint can hold.
create domain bmv.u64 as numeric(20) check (value >= 0 and value < 18446744073709551616);
create domain bmv.u128 as numeric(39) check (value >= 0 and value < 340282366920938463463374607431768211456);

create table bmv.session (
    name  text primary key check (name <> ''),
    words bigint not null default 0 check (words >= 0),
    head  bytea not null check (length(head) = 32)
);
comment on table bmv.session is 'How many words of each session are kept, and the hash of the last; the triggers keep it.';

create table bmv.journal (
    session text not null references bmv.session,
    seq     bigint not null check (seq >= 0),
    body    text not null,
    prev    bytea not null,
    hash    bytea not null,
    kept_at timestamptz not null default clock_timestamp(),
    primary key (session, seq),
    -- The link of the chain: whoever writes, a word that does not follow from the one before it is refused.
    constraint journal_hash check (hash = sha256(prev || convert_to(body, 'UTF8')))
);
comment on table bmv.journal is 'Append-only. body: the word as JSON; hash: SHA-256 of prev and body.';

-- Let in only what continues the session, and move its head. The lock on the session's row makes writers take turns.
create function bmv.continue_session() returns trigger language plpgsql as $$
declare
    which text;
    kept bmv.session;
    fresh_words bigint;
    fits boolean;
begin
    for which in select distinct session from fresh loop
        select * into strict kept from bmv.session where name = which for update;
        select count(*), bool_and(seq = place and prev = before) into fresh_words, fits from (
            select seq, prev, kept.words - 1 + row_number() over line as place,
                   coalesce(lag(hash) over line, kept.head) as before
            from fresh where session = which window line as (order by seq)
        ) as words;
        if not fits then
            raise exception 'session % does not continue at word %', which, kept.words using errcode = 'BM001';
        end if;
        update bmv.session set
            words = kept.words + fresh_words,
            head = (select hash from fresh where session = which order by seq desc limit 1)
        where name = which;
    end loop;
    return null;
end $$;
create trigger continue_session after insert on bmv.journal
    referencing new table as fresh for each statement execute function bmv.continue_session();

create function bmv.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only: no % is allowed', tg_table_name, lower(tg_op) using errcode = 'BM002';
end $$;
create trigger append_only before update or delete or truncate on bmv.journal
    for each statement execute function bmv.refuse_change();
