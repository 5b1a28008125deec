#!/bin/sh
# Makes the database and the roles when the data folder is new. PostgreSQL's image runs it.
set -eu
psql -v ON_ERROR_STOP=1 --username postgres --quiet -v database=scim --file /postgres-roles.sql
# psql itself reads the passwords, because all users of the machine can read arguments.
psql -v ON_ERROR_STOP=1 --username postgres --quiet <<'END'
\set owner `cat /run/secrets/owner_password`
\set service `cat /run/secrets/service_password`
ALTER ROLE paradigm_scim_owner PASSWORD :'owner';
ALTER ROLE paradigm_scim_service PASSWORD :'service';
END
