-- Makes the role that owns Sundial's tables, and its database: once, as the administrator of the service (README.md).
-- The password comes from OWNER_PASSWORD, so that no command line shows it.
\set ON_ERROR_STOP on
\getenv password OWNER_PASSWORD
\if :{?password}
\else
  \warn 'OWNER_PASSWORD is not set. Please run: export OWNER_PASSWORD=$(openssl rand -hex 32)'
  DO 'BEGIN RAISE EXCEPTION ''nothing was made''; END';
\endif

-- CREATEROLE: it makes the tenants' roles when they are onboarded. Row-level security binds it as it binds everybody.
CREATE ROLE sundial_owner LOGIN CREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS PASSWORD :'password';

-- The administrator is no superuser: to hand the database over, it has to be able to become the owner, that long.
GRANT sundial_owner TO CURRENT_USER;
-- From template0, where the schema public is the database owner's whatever was done to template1.
CREATE DATABASE sundial OWNER sundial_owner TEMPLATE template0 ENCODING 'UTF8';
REVOKE sundial_owner FROM CURRENT_USER;
