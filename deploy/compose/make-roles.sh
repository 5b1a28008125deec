#!/bin/sh
# Makes the database and the roles when the data folder is new. PostgreSQL's image runs it.
set -eu
psql -v ON_ERROR_STOP=1 --username postgres --quiet -v database=scim --file /postgres-roles.sql
for role in owner service; do
  psql -v ON_ERROR_STOP=1 --username postgres --quiet -v role="paradigm_scim_$role" -v password="$(cat "/run/secrets/${role}_password")" <<'END'
ALTER ROLE :"role" PASSWORD :'password';
END
done
