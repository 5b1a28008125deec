-- What each role may do. Carried out after every migration, with the names of the roles in place of the words in braces.

REVOKE ALL ON SCHEMA paradigm_scim FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA paradigm_scim FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA paradigm_scim FROM PUBLIC;

GRANT USAGE ON SCHEMA paradigm_scim TO {service};
GRANT SELECT, INSERT, UPDATE, DELETE ON paradigm_scim.item, paradigm_scim.audit TO {service};
GRANT SELECT ON paradigm_scim.every_item, paradigm_scim.migration TO {service};
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA paradigm_scim TO {service};

GRANT USAGE ON SCHEMA paradigm_scim TO {reader};
GRANT SELECT ON
    paradigm_scim.companies, paradigm_scim.users, paradigm_scim.emails, paradigm_scim.api_keys, paradigm_scim.changes,
    paradigm_scim.feed
TO {reader};
GRANT EXECUTE ON FUNCTION
    paradigm_scim.text_v1, paradigm_scim.texts_v1, paradigm_scim.time_v1, paradigm_scim.json_v1, paradigm_scim.changes_of
TO {reader};
