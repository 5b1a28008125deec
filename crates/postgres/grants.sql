-- What each role may do. Carried out after every migration, with the names of the roles in place of the words in braces.

REVOKE ALL ON SCHEMA paradigm_scim FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA paradigm_scim FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA paradigm_scim FROM PUBLIC;

GRANT USAGE ON SCHEMA paradigm_scim TO {service};
GRANT SELECT, INSERT, UPDATE, DELETE ON paradigm_scim.item, paradigm_scim.audit TO {service};
GRANT SELECT ON paradigm_scim.every_item, paradigm_scim.migration TO {service};
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA paradigm_scim TO {service};

-- The views for programs beside SCIM are granted to this role where they are made.
GRANT USAGE ON SCHEMA paradigm_scim TO {reader};
