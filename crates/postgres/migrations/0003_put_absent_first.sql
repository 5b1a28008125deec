-- Most items that are put are absent, as all of a new user are. So a put whose conditions hold of an absent item inserts
-- first, and looks for the item only if it is there. What the function does and returns is the same as before.
CREATE OR REPLACE FUNCTION paradigm_scim.act_v1(
    action text, its_pk text, its_sk text, conditions jsonb, given paradigm_scim.content
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    item paradigm_scim.content;
    new paradigm_scim.content;
    is_done boolean;
BEGIN
    IF action = 'delete' AND conditions IS NULL THEN
        is_done := paradigm_scim.delete_v1(its_pk, its_sk);
        RETURN TRUE;
    END IF;
    IF action = 'put' AND paradigm_scim.holds_v1(its_pk, its_sk, NULL, conditions) THEN
        IF paradigm_scim.inserted_v1(its_pk, its_sk, given) THEN
            RETURN TRUE;
        END IF;
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
