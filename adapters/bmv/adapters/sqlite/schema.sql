-- The journal of sessions; the triggers let in only what continues a session, and let nothing be changed.
create table session (
    name  text primary key not null check (name <> ''),
    words integer not null default 0,
    head  blob not null check (length(head) = 32)
) strict, without rowid;

create table journal (
    session text not null references session,
    seq     integer not null,
    body    text not null,
    prev    blob not null,
    hash    blob not null check (length(hash) = 32),
    primary key (session, seq)
) strict, without rowid;

create trigger continue_session before insert on journal
when new.seq is not (select words from session where name = new.session)
    or new.prev is not (select head from session where name = new.session)
begin
    select raise(abort, 'the session does not continue at this word');
end;
create trigger move_head after insert on journal begin
    update session set words = words + 1, head = new.hash where name = new.session;
end;
create trigger no_update before update on journal begin
    select raise(abort, 'journal is append-only: no update is allowed');
end;
create trigger no_delete before delete on journal begin
    select raise(abort, 'journal is append-only: no delete is allowed');
end;
