-- A batch is one statement. This ends it, and undoes all of it, when another process was faster with one of its rows.
create function refuse_unless(wanted bigint, touched bigint) returns void language plpgsql as $$
begin
    if touched <> wanted then
        raise exception 'another process was faster: % rows touched, not %', touched, wanted
            using errcode = 'serialization_failure';
    end if;
end $$;
