-- Views for programs beside SCIM: docs/views.md describes them. They show what the items hold, and no secret.

CREATE INDEX item_by_entity ON paradigm_scim.item (company, entity) WHERE kind = 'user';
CREATE INDEX item_of_few ON paradigm_scim.item (kind, company) WHERE kind IN ('company', 'apiKey');

-- Returns the text of a string. U+0000 and U+0001, which are written in a form of their own, become U+FFFD.
CREATE FUNCTION paradigm_scim.text_v1(value jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN jsonb_typeof(value) = 'string' THEN regexp_replace(value #>> '{}', U&'\0001.', U&'\FFFD', 'g')
    END
$$;

-- Returns the texts of a set, null if there is none.
CREATE FUNCTION paradigm_scim.texts_v1(value jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_agg(paradigm_scim.text_v1(member) ORDER BY member) FROM jsonb_array_elements(value -> 'SS') AS member
$$;

-- Returns the time of a text, null if it is none.
CREATE FUNCTION paradigm_scim.time_v1(value text) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN value ~ '^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]([.][0-9]+)?Z$' THEN value::timestamptz
    END
$$;

-- Returns a document as JSON. It can hold no U+0000, which becomes U+FFFD.
CREATE FUNCTION paradigm_scim.json_v1(document text) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN position('\u0000' IN document) = 0 THEN document::jsonb
        -- Not behind an odd number of backslashes: then it is a backslash and five letters.
        ELSE regexp_replace(document, '(?<!\\)((?:\\\\)*)\\u0000', '\1\\uFFFD', 'g')::jsonb
    END
$$;

CREATE VIEW paradigm_scim.companies AS
    SELECT
        company AS id,
        paradigm_scim.text_v1(body -> 'name') AS name,
        body ->> 'status' AS status,
        paradigm_scim.time_v1(body ->> 'created') AS created
    FROM paradigm_scim.item
    WHERE kind = 'company';

CREATE VIEW paradigm_scim.users AS
    SELECT
        company,
        entity AS id,
        body ->> 'state' AS state,
        paradigm_scim.json_v1(document) ->> 'userName' AS user_name,
        paradigm_scim.json_v1(document) ->> 'externalId' AS external_id,
        paradigm_scim.json_v1(document) ->> 'displayName' AS display_name,
        paradigm_scim.texts_v1(body -> 'permissions') AS permissions,
        paradigm_scim.time_v1(body ->> 'created') AS created,
        paradigm_scim.time_v1(body ->> 'lastModified') AS last_modified,
        version,
        paradigm_scim.json_v1(document) AS attributes
    FROM paradigm_scim.item
    WHERE kind = 'user';

CREATE VIEW paradigm_scim.emails AS
    SELECT
        item.company,
        item.entity AS user_id,
        email ->> 'value' AS value,
        email ->> 'type' AS type,
        coalesce(email -> 'primary' = 'true', FALSE) AS is_primary
    FROM paradigm_scim.item,
        jsonb_path_query(paradigm_scim.json_v1(item.document), '$.emails[*]') AS email
    WHERE item.kind = 'user';

CREATE VIEW paradigm_scim.api_keys AS
    SELECT
        company,
        entity AS id,
        paradigm_scim.text_v1(body -> 'name') AS name,
        body ->> 'owner' AS owner,
        paradigm_scim.time_v1(body ->> 'created') AS created,
        paradigm_scim.time_v1(body ->> 'expires') AS expires,
        paradigm_scim.time_v1(body ->> 'revoked') AS revoked,
        body ->> 'lastUsed' AS last_used
    FROM paradigm_scim.item
    WHERE kind = 'apiKey';

-- The changes in the order of (transaction, sequence), which never gets an earlier one later: records of transactions
-- that may still run, and of all that began after the first of them, are not shown yet.
CREATE VIEW paradigm_scim.changes AS
    SELECT
        transaction,
        sequence,
        company,
        entity AS user_id,
        paradigm_scim.time_v1(split_part(sk, '#', 2)) AS at,
        split_part(sk, '#', 3) AS request_id,
        body ->> 'actor' AS actor,
        body ->> 'operation' AS operation,
        paradigm_scim.texts_v1(body -> 'attributes') AS attributes,
        paradigm_scim.texts_v1(body -> 'keys') AS keys,
        body ->> 'before' AS before,
        body ->> 'after' AS after
    FROM paradigm_scim.audit
    WHERE transaction < pg_snapshot_xmin(pg_current_snapshot());

-- Returns the changes of one user. It finds them by their key.
CREATE FUNCTION paradigm_scim.changes_of(company text, user_id text) RETURNS SETOF paradigm_scim.changes
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT
        transaction, sequence, record.company, entity, paradigm_scim.time_v1(split_part(sk, '#', 2)), split_part(sk, '#', 3),
        body ->> 'actor', body ->> 'operation', paradigm_scim.texts_v1(body -> 'attributes'),
        paradigm_scim.texts_v1(body -> 'keys'), body ->> 'before', body ->> 'after'
    FROM paradigm_scim.audit AS record
    WHERE pk = 'COMPANY#' || changes_of.company || '#USER#' || changes_of.user_id
    ORDER BY sk
$$;

-- Positions in the feed count in one generation only. A restored backup begins a new one.
CREATE TABLE paradigm_scim.feed_generation (
    generation uuid NOT NULL DEFAULT gen_random_uuid(),
    is_the_only_one boolean PRIMARY KEY DEFAULT TRUE CHECK (is_the_only_one)
);
INSERT INTO paradigm_scim.feed_generation DEFAULT VALUES;

CREATE VIEW paradigm_scim.feed AS SELECT generation FROM paradigm_scim.feed_generation;

-- Begins a new generation of the feed. All records so far are then of no transaction that runs, or is yet to come:
-- numbers of transactions of another server, or of a later time, mean nothing here.
CREATE FUNCTION paradigm_scim.begin_feed_v1() RETURNS uuid
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    new uuid;
BEGIN
    UPDATE paradigm_scim.feed_generation SET generation = gen_random_uuid() RETURNING generation INTO new;
    UPDATE paradigm_scim.audit SET transaction = '0' WHERE transaction <> '0';
    RETURN new;
END $$;
