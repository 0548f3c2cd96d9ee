#!/bin/sh
# Runs a file of SQL in a database, as the superuser: run.sh DATABASE FILE. The password stands in no command line.
set -eu
PGPASSWORD=$(cat /run/secrets/postgres_password)
export PGPASSWORD
exec psql --no-psqlrc --quiet --host=postgres --username=postgres --dbname="$1" --file="$2"
