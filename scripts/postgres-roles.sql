-- Makes the database and the roles of paradigm-scim. A superuser runs it with psql:
--
--   psql -v ON_ERROR_STOP=1 -v database=scim -f scripts/postgres-roles.sql
--
-- It leaves roles and databases that are there as they are, so run it again for another database, such as one for a backup.
-- -v owner=NAME, -v service=NAME and -v reader=NAME choose other names, -v connections=NUMBER another limit.
-- It sets no passwords: set them with \password ROLE in psql.

\if :{?database} \else \set database scim \endif
\if :{?owner} \else \set owner paradigm_scim_owner \endif
\if :{?service} \else \set service paradigm_scim_service \endif
\if :{?reader} \else \set reader paradigm_scim_reader \endif
\if :{?connections} \else \set connections 100 \endif

-- Migrates the schema: paradigm-scim database migrate.
SELECT format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE', :'owner')
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'owner') \gexec
-- Serves requests and runs the other commands. It can change rows, and nothing else.
SELECT format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT %s', :'service', :connections)
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'service') \gexec
-- Reads the views, for programs beside SCIM.
SELECT format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE', :'reader')
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'reader') \gexec

SELECT format('CREATE DATABASE %I OWNER %I ENCODING ''UTF8'' TEMPLATE template0', :'database', :'owner')
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO :"service", :"reader";

-- A statement ends before the client gives up after 5 s, so that both know that nothing was written.
ALTER ROLE :"service" IN DATABASE :"database" SET statement_timeout = '4s';
ALTER ROLE :"service" IN DATABASE :"database" SET lock_timeout = '2s';
-- The program never leaves a transaction open. A pooler might.
ALTER ROLE :"service" IN DATABASE :"database" SET idle_in_transaction_session_timeout = '10s';
-- The server ends the statements of a process that is gone, and frees their locks.
ALTER ROLE :"service" IN DATABASE :"database" SET client_connection_check_interval = '2s';
