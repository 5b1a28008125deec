-- The items, and the functions that write them. Names are qualified by the schema everywhere, and the functions that a
-- client calls have a fixed search_path, so that nobody's objects in another schema are ever used.
--
-- Text holds no U+0000: the program writes U+0001 U+0001 for it, and U+0001 U+0002 for U+0001. That keeps the order.
-- A body is the attributes that have no column of their own: a string, boolean, null or list as JSON has it, a number
-- {"N": text}, bytes {"B": hexadecimal}, a map {"M": {}}, and sets {"SS": []}, {"NS": []} and {"BS": []}.

CREATE TABLE paradigm_scim.item (
    pk text COLLATE "C" NOT NULL,
    sk text COLLATE "C" NOT NULL,
    body jsonb NOT NULL,
    -- Not in the body, because jsonb reorders members, and this text keeps every byte.
    document text COLLATE "C",
    index_pk text COLLATE "C",
    index_sk text COLLATE "C",
    -- What the key and the body say, for views and indexes. They are not generated columns, because the server prepares
    -- the expressions of those again for each statement, which takes eight times as long as the write itself.
    expires numeric,
    kind text COLLATE "C" NOT NULL,
    company text COLLATE "C",
    -- The user that an item or record is about, or the API key.
    entity text COLLATE "C",
    version numeric,
    PRIMARY KEY (pk, sk),
    CONSTRAINT item_index_is_whole CHECK ((index_pk IS NULL) = (index_sk IS NULL))
)
-- Room for the next version of a row on its page: then an update changes no index.
WITH (fillfactor = 80);

CREATE INDEX item_by_company ON paradigm_scim.item (index_pk, index_sk, pk, sk) WHERE index_pk IS NOT NULL;
CREATE INDEX item_by_expiry ON paradigm_scim.item (expires) WHERE expires IS NOT NULL;

-- Audit records, which are also the change feed. A record that is seen has its place in the feed only once all
-- transactions before it have ended: read rows whose transaction is below pg_snapshot_xmin(pg_current_snapshot()).
CREATE TABLE paradigm_scim.audit (
    LIKE paradigm_scim.item,
    sequence bigint GENERATED ALWAYS AS IDENTITY,
    transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (pk, sk),
    CONSTRAINT audit_index_is_whole CHECK ((index_pk IS NULL) = (index_sk IS NULL))
);

CREATE INDEX audit_by_company ON paradigm_scim.audit (index_pk, index_sk, pk, sk) WHERE index_pk IS NOT NULL;
CREATE INDEX audit_by_expiry ON paradigm_scim.audit (expires) WHERE expires IS NOT NULL;
CREATE INDEX audit_by_transaction ON paradigm_scim.audit (transaction, sequence);

-- What a client reads.
CREATE VIEW paradigm_scim.every_item AS
    SELECT pk, sk, body, document, index_pk, index_sk FROM paradigm_scim.item
    UNION ALL
    SELECT pk, sk, body, document, index_pk, index_sk FROM paradigm_scim.audit;

-- The parts of an item beside its key. An absent item has no body.
CREATE TYPE paradigm_scim.content AS (body jsonb, document text, index_pk text, index_sk text);

CREATE FUNCTION paradigm_scim.kind_v1(its_pk text, its_sk text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN its_pk LIKE 'KEY#%' THEN 'apiKey'
        WHEN its_pk NOT LIKE 'COMPANY#%' THEN 'unknown'
        WHEN its_sk LIKE 'AUDIT#%' THEN 'audit'
        WHEN split_part(its_pk, '#', 3) = '' AND its_sk = 'COMPANY' THEN 'company'
        WHEN split_part(its_pk, '#', 3) = 'USER' AND its_sk = 'USER' THEN 'user'
        WHEN split_part(its_pk, '#', 3) = 'USER' AND its_sk LIKE 'APP#%' THEN 'foreign'
        WHEN split_part(its_pk, '#', 3) = 'COUNT' AND its_sk LIKE 'SHARD#%' THEN 'counter'
        WHEN split_part(its_pk, '#', 3) = 'SCANS' AND its_sk LIKE 'MINUTE#%' THEN 'scanBudget'
        WHEN split_part(its_pk, '#', 3) IN ('userName', 'externalId', 'emails') THEN 'lookup'
        ELSE 'unknown'
    END
$$;

CREATE FUNCTION paradigm_scim.company_v1(its_pk text, body jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN its_pk LIKE 'COMPANY#%' THEN split_part(its_pk, '#', 2)
        WHEN its_pk LIKE 'KEY#%' THEN body ->> 'company'
    END
$$;

CREATE FUNCTION paradigm_scim.entity_v1(its_pk text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN split_part(its_pk, '#', 3) = 'USER' THEN split_part(its_pk, '#', 4)
        WHEN its_pk LIKE 'KEY#%' THEN split_part(its_pk, '#', 2)
    END
$$;

-- Returns an item and locks its row.
CREATE FUNCTION paradigm_scim.locked_v1(its_pk text, its_sk text) RETURNS paradigm_scim.content
LANGUAGE plpgsql AS $$
DECLARE
    found paradigm_scim.content;
BEGIN
    IF its_sk LIKE 'AUDIT#%' THEN
        SELECT body, document, index_pk, index_sk INTO found
        FROM paradigm_scim.audit WHERE pk = its_pk AND sk = its_sk FOR UPDATE;
    ELSE
        SELECT body, document, index_pk, index_sk INTO found
        FROM paradigm_scim.item WHERE pk = its_pk AND sk = its_sk FOR UPDATE;
    END IF;
    RETURN found;
END $$;

-- Writes an item that is absent. Waits for a rival that writes it too, and returns false if that succeeds.
CREATE FUNCTION paradigm_scim.inserted_v1(its_pk text, its_sk text, new paradigm_scim.content) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    IF its_sk LIKE 'AUDIT#%' THEN
        INSERT INTO paradigm_scim.audit (
            pk, sk, body, document, index_pk, index_sk, kind, company, entity, version, expires
        )
        VALUES (
            its_pk, its_sk, new.body, new.document, new.index_pk, new.index_sk,
            paradigm_scim.kind_v1(its_pk, its_sk), paradigm_scim.company_v1(its_pk, new.body),
            paradigm_scim.entity_v1(its_pk), (new.body -> 'version' ->> 'N')::numeric,
            (new.body -> 'ttl' ->> 'N')::numeric
        )
        ON CONFLICT (pk, sk) DO NOTHING;
    ELSE
        INSERT INTO paradigm_scim.item (
            pk, sk, body, document, index_pk, index_sk, kind, company, entity, version, expires
        )
        VALUES (
            its_pk, its_sk, new.body, new.document, new.index_pk, new.index_sk,
            paradigm_scim.kind_v1(its_pk, its_sk), paradigm_scim.company_v1(its_pk, new.body),
            paradigm_scim.entity_v1(its_pk), (new.body -> 'version' ->> 'N')::numeric,
            (new.body -> 'ttl' ->> 'N')::numeric
        )
        ON CONFLICT (pk, sk) DO NOTHING;
    END IF;
    RETURN FOUND;
END $$;

-- Writes an item whose row is locked. It is called in assignments, because PERFORM costs a statement.
CREATE FUNCTION paradigm_scim.replace_v1(its_pk text, its_sk text, new paradigm_scim.content) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    IF its_sk LIKE 'AUDIT#%' THEN
        UPDATE paradigm_scim.audit
        SET body = new.body, document = new.document, index_pk = new.index_pk, index_sk = new.index_sk,
            company = paradigm_scim.company_v1(its_pk, new.body),
            version = (new.body -> 'version' ->> 'N')::numeric,
            expires = (new.body -> 'ttl' ->> 'N')::numeric
        WHERE pk = its_pk AND sk = its_sk;
    ELSE
        UPDATE paradigm_scim.item
        SET body = new.body, document = new.document, index_pk = new.index_pk, index_sk = new.index_sk,
            company = paradigm_scim.company_v1(its_pk, new.body),
            version = (new.body -> 'version' ->> 'N')::numeric,
            expires = (new.body -> 'ttl' ->> 'N')::numeric
        WHERE pk = its_pk AND sk = its_sk;
    END IF;
    RETURN FOUND;
END $$;

CREATE FUNCTION paradigm_scim.delete_v1(its_pk text, its_sk text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    IF its_sk LIKE 'AUDIT#%' THEN
        DELETE FROM paradigm_scim.audit WHERE pk = its_pk AND sk = its_sk;
    ELSE
        DELETE FROM paradigm_scim.item WHERE pk = its_pk AND sk = its_sk;
    END IF;
    RETURN FOUND;
END $$;

-- Returns an attribute of an item, null if it is absent.
CREATE FUNCTION paradigm_scim.attribute_v1(its_pk text, its_sk text, item paradigm_scim.content, name text)
RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN CASE
        WHEN item.body IS NULL THEN NULL
        WHEN name = 'PK' THEN to_jsonb(its_pk)
        WHEN name = 'SK' THEN to_jsonb(its_sk)
        WHEN name = 'document' THEN coalesce(to_jsonb(item.document), item.body -> name)
        WHEN name = 'ByCompanyPK' THEN coalesce(to_jsonb(item.index_pk), item.body -> name)
        WHEN name = 'ByCompanySK' THEN coalesce(to_jsonb(item.index_sk), item.body -> name)
        ELSE item.body -> name
    END;
END $$;

-- Returns a value with its numbers as numbers of JSON, so that they are compared as numbers, at any depth.
CREATE FUNCTION paradigm_scim.comparable_v1(value jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    CASE
        WHEN jsonb_typeof(value) = 'array' THEN
            RETURN (
                SELECT coalesce(jsonb_agg(paradigm_scim.comparable_v1(member) ORDER BY position), '[]')
                FROM jsonb_array_elements(value) WITH ORDINALITY AS list(member, position)
            );
        WHEN jsonb_typeof(value) IS DISTINCT FROM 'object' THEN
            RETURN value;
        WHEN value ? 'N' THEN
            RETURN to_jsonb((value ->> 'N')::numeric);
        WHEN value ? 'NS' THEN
            RETURN (
                SELECT jsonb_build_object('NS', jsonb_agg(number::numeric ORDER BY number::numeric))
                FROM jsonb_array_elements_text(value -> 'NS') AS number
            );
        WHEN value ? 'M' THEN
            RETURN (
                SELECT jsonb_build_object('M', coalesce(jsonb_object_agg(name, paradigm_scim.comparable_v1(member)), '{}'))
                FROM jsonb_each(value -> 'M') AS map(name, member)
            );
        ELSE
            RETURN value;
    END CASE;
END $$;

-- Returns whether two values are the same.
CREATE FUNCTION paradigm_scim.equal_v1(value jsonb, expected jsonb) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN value = expected OR paradigm_scim.comparable_v1(value) = paradigm_scim.comparable_v1(expected);
END $$;

-- Returns whether a value is less than another of the same type: a string, number or bytes.
CREATE FUNCTION paradigm_scim.less_v1(value jsonb, bound jsonb) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF jsonb_typeof(value) = 'string' AND jsonb_typeof(bound) = 'string' THEN
        RETURN (value #>> '{}') COLLATE "C" < (bound #>> '{}') COLLATE "C";
    END IF;
    RETURN coalesce(
        (value ->> 'N')::numeric < (bound ->> 'N')::numeric,
        (value ->> 'B') COLLATE "C" < (bound ->> 'B') COLLATE "C"
    );
END $$;

-- Returns whether all of these conditions hold of an item: a JSON array, or null for none.
CREATE FUNCTION paradigm_scim.holds_v1(its_pk text, its_sk text, item paradigm_scim.content, conditions jsonb)
RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    next jsonb;
    value jsonb;
    holds boolean;
BEGIN
    FOR position IN 0 .. coalesce(jsonb_array_length(conditions), 0) - 1 LOOP
        next := conditions -> position;
        value := paradigm_scim.attribute_v1(its_pk, its_sk, item, next ->> 'attribute');
        CASE next ->> 'is'
            WHEN 'absent' THEN holds := item.body IS NULL;
            WHEN 'exists' THEN holds := item.body IS NOT NULL;
            WHEN 'equal' THEN holds := paradigm_scim.equal_v1(value, next -> 'value');
            WHEN 'attributeAbsent' THEN holds := value IS NULL;
            WHEN 'absentOrLess' THEN holds := value IS NULL OR paradigm_scim.less_v1(value, next -> 'value');
            WHEN 'absentOrEqual' THEN
                holds := item.body IS NULL OR paradigm_scim.equal_v1(value, next -> 'value');
        END CASE;
        IF holds IS NOT TRUE THEN
            RETURN FALSE;
        END IF;
    END LOOP;
    RETURN TRUE;
END $$;

-- Returns an item after an update: {"add": {"name": number as text}, "set": {name: value}, "remove": [name]}. Its body
-- is null if it adds to something else than a number, or the sum has more than 38 digits.
CREATE FUNCTION paradigm_scim.updated_v1(item paradigm_scim.content, change jsonb) RETURNS paradigm_scim.content
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    with_columns CONSTANT text[] := ARRAY['document', 'ByCompanyPK', 'ByCompanySK'];
    removed CONSTANT text[] := ARRAY(SELECT jsonb_array_elements_text(change -> 'remove'));
    new paradigm_scim.content := item;
    name text;
    amount text;
    total numeric;
BEGIN
    new.body := coalesce(new.body, '{}');
    FOR name, amount IN SELECT key, value FROM jsonb_each_text(change -> 'add') LOOP
        total := trim_scale((coalesce(new.body -> name, '{"N": "0"}') ->> 'N')::numeric + amount::numeric);
        IF total IS NULL OR length(trim(BOTH '0' FROM replace(abs(total)::text, '.', ''))) > 38 THEN
            new.body := NULL;
            RETURN new;
        END IF;
        new.body := new.body || jsonb_build_object(name, jsonb_build_object('N', total::text));
    END LOOP;
    IF NOT (change -> 'set' ?| with_columns OR removed && with_columns) THEN
        new.body := (new.body || (change -> 'set')) - removed;
        RETURN new;
    END IF;
    new.body := jsonb_strip_nulls(jsonb_build_object(
        'document', new.document, 'ByCompanyPK', new.index_pk, 'ByCompanySK', new.index_sk
    )) || new.body || (change -> 'set');
    new.body := new.body - removed;
    new.document := NULL;
    new.index_pk := NULL;
    new.index_sk := NULL;
    IF jsonb_typeof(new.body -> 'document') = 'string' THEN
        new.document := new.body ->> 'document';
        new.body := new.body - 'document';
    END IF;
    IF jsonb_typeof(new.body -> 'ByCompanyPK') = 'string' AND jsonb_typeof(new.body -> 'ByCompanySK') = 'string' THEN
        new.index_pk := new.body ->> 'ByCompanyPK';
        new.index_sk := new.body ->> 'ByCompanySK';
        new.body := new.body - '{ByCompanyPK,ByCompanySK}'::text[];
    END IF;
    RETURN new;
END $$;

-- Carries out one action if its conditions hold, and returns whether they do; null if they do but the update is
-- impossible. Locks the item, also an absent one: a placeholder makes a rival wait that would insert it. Only deleting
-- an absent item locks nothing.
CREATE FUNCTION paradigm_scim.act_v1(
    action text, its_pk text, its_sk text, conditions jsonb, given paradigm_scim.content
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    item paradigm_scim.content;
    new paradigm_scim.content;
    is_done boolean;
BEGIN
    IF action = 'put' AND conditions = '[{"is": "absent"}]' THEN
        RETURN paradigm_scim.inserted_v1(its_pk, its_sk, given);
    END IF;
    IF action = 'delete' AND conditions IS NULL THEN
        is_done := paradigm_scim.delete_v1(its_pk, its_sk);
        RETURN TRUE;
    END IF;
    LOOP
        item := paradigm_scim.locked_v1(its_pk, its_sk);
        IF NOT paradigm_scim.holds_v1(its_pk, its_sk, item, conditions) THEN
            RETURN FALSE;
        END IF;
        new := CASE action
            WHEN 'put' THEN given
            WHEN 'update' THEN paradigm_scim.updated_v1(item, given.body)
            WHEN 'check' THEN ROW('{}', NULL, NULL, NULL)::paradigm_scim.content
        END;
        IF action = 'update' AND new.body IS NULL THEN
            RETURN NULL;
        END IF;
        IF item.body IS NOT NULL THEN
            IF action = 'delete' THEN
                is_done := paradigm_scim.delete_v1(its_pk, its_sk);
            ELSIF action <> 'check' THEN
                is_done := paradigm_scim.replace_v1(its_pk, its_sk, new);
            END IF;
            RETURN TRUE;
        END IF;
        IF action = 'delete' THEN
            RETURN TRUE;
        END IF;
        -- If a rival has inserted the item since it was looked for, its row is locked and examined in the next round.
        IF paradigm_scim.inserted_v1(its_pk, its_sk, new) THEN
            IF action = 'check' THEN
                is_done := paradigm_scim.delete_v1(its_pk, its_sk);
            END IF;
            RETURN TRUE;
        END IF;
    END LOOP;
END $$;

-- Carries out all actions or none, in the order of their keys so that rivals cannot deadlock. Returns the positions,
-- from 0, of the actions whose conditions do not hold. The error that undoes the others never reaches the server's log.
-- If all conditions hold but an update adds to something else than a number, it fails with SQLSTATE SC002.
CREATE FUNCTION paradigm_scim.commit_v1(
    actions text[], pks text[], sks text[], conditions text[], bodies text[], documents text[], index_pks text[],
    index_sks text[]
) RETURNS integer[] LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    failed integer[] := '{}';
    is_impossible boolean := FALSE;
    holds boolean;
    next record;
BEGIN
    BEGIN
        FOR next IN
            SELECT *
            FROM unnest(actions, pks, sks, conditions, bodies, documents, index_pks, index_sks) WITH ORDINALITY
                AS action(name, pk, sk, conditions, body, document, index_pk, index_sk, position)
            ORDER BY pk COLLATE "C", sk COLLATE "C"
        LOOP
            holds := paradigm_scim.act_v1(
                next.name, next.pk, next.sk, next.conditions::jsonb,
                ROW(next.body::jsonb, next.document, next.index_pk, next.index_sk)::paradigm_scim.content
            );
            IF NOT holds THEN
                failed := failed || (next.position - 1)::integer;
            ELSIF holds IS NULL THEN
                is_impossible := TRUE;
            END IF;
        END LOOP;
        IF failed <> '{}' THEN
            RAISE EXCEPTION USING ERRCODE = 'SC001';
        ELSIF is_impossible THEN
            RAISE EXCEPTION 'an update adds to something else than a number' USING ERRCODE = 'SC002';
        END IF;
    EXCEPTION WHEN SQLSTATE 'SC001' THEN
        -- Only what was written is undone; the positions stay. (A code that ends in 000 would catch its whole class.)
        NULL;
    END;
    RETURN failed;
END $$;

-- Ends once all that this server shows is on its synchronous replicas, if it has any: it then commits a row that nobody
-- sees, and a commit waits until all before it are replicated. Without replicas, a server shows only what is on its disk.
CREATE FUNCTION paradigm_scim.confirm_v1() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('synchronous_standby_names') <> '' THEN
        PERFORM paradigm_scim.act_v1('check', 'CONFIRM#' || pg_current_xact_id(), 'CONFIRM', NULL, NULL);
    END IF;
END $$;

-- Deletes up to so many items and as many audit records whose time has come, and returns how many it deleted. Several
-- clients may do it at a time.
CREATE FUNCTION paradigm_scim.delete_expired_v1(most integer) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    seconds CONSTANT numeric := extract(epoch FROM now());
    items bigint;
    records bigint;
BEGIN
    DELETE FROM paradigm_scim.item WHERE (pk, sk) IN (
        SELECT pk, sk FROM paradigm_scim.item WHERE expires < seconds ORDER BY expires LIMIT most
        FOR UPDATE SKIP LOCKED
    );
    GET DIAGNOSTICS items = ROW_COUNT;
    DELETE FROM paradigm_scim.audit WHERE (pk, sk) IN (
        SELECT pk, sk FROM paradigm_scim.audit WHERE expires < seconds ORDER BY expires LIMIT most
        FOR UPDATE SKIP LOCKED
    );
    GET DIAGNOSTICS records = ROW_COUNT;
    RETURN items + records;
END $$;
