#!/bin/sh
# Writes a backup of the directory to /backups at the start and every BACKUP_HOURS hours, and deletes those older than BACKUP_DAYS days.
set -eu
umask 077
trap 'exit 0' TERM INT
# In the environment, because all users of the machine can read arguments.
PGPASSWORD=$(cat /run/secrets/owner_password)
export PGPASSWORD
while true; do
  name=/backups/scim-$(date -u +%Y-%m-%dT%H%M%SZ).dump
  if pg_dump --format custom --file "$name.part" --host database --username paradigm_scim_owner scim; then
    mv "$name.part" "$name"
    echo "backup: $name"
    find /backups -name 'scim-*.dump' -mtime "+$BACKUP_DAYS" -delete
  else
    rm -f "$name.part"
    echo 'backup: FAILED' >&2
  fi
  # In the background, so that the shell takes signals meanwhile.
  sleep "$((BACKUP_HOURS * 3600))" &
  wait $!
done
