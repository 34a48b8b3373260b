#!/bin/sh
# The entry point of the image that rootfs-fixtures/postgres makes: a database where PGDATA has
# none, then the server in this process's place. Runs in the container, under busybox's sh.
set -eu

if [ "${1:-}" != postgres ]; then
    exec "$@"
fi
PGDATA=${PGDATA:-/var/lib/postgresql/data}
POSTGRES_USER=${POSTGRES_USER:-postgres}
POSTGRES_DB=${POSTGRES_DB:-$POSTGRES_USER}
POSTGRES_PASSWORD=${POSTGRES_PASSWORD:-}
POSTGRES_HOST_AUTH_METHOD=${POSTGRES_HOST_AUTH_METHOD:-}
export PGDATA POSTGRES_USER POSTGRES_DB POSTGRES_PASSWORD POSTGRES_HOST_AUTH_METHOD

# The server refuses to run as root, so root only prepares the directories.
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /var/run/postgresql
    chmod 700 "$PGDATA"
    chmod 3777 /var/run/postgresql
    find "$PGDATA" /var/run/postgresql \! -user postgres -exec chown postgres:postgres {} +
    exec su -p -s /bin/sh postgres -c 'exec "$0" "$@"' -- "$0" "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
        echo "Error: Database is uninitialized and superuser password is not specified." >&2
        echo "       Give POSTGRES_PASSWORD, or POSTGRES_HOST_AUTH_METHOD=trust." >&2
        exit 1
    fi
    method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    password=/tmp/password.$$
    asked=
    if [ -n "$POSTGRES_PASSWORD" ]; then
        (umask 077 && printf '%s\n' "$POSTGRES_PASSWORD" > "$password")
        asked=--pwfile=$password
    fi
    # Not quoted: without a password it is no argument.
    initdb --username="$POSTGRES_USER" $asked --encoding=UTF8 --locale=C.UTF-8 \
        --auth-local=trust --auth-host="$method"
    rm -f "$password"
    echo "host all all all $method" >> "$PGDATA/pg_hba.conf"
    echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
    if [ "$POSTGRES_DB" != postgres ]; then
        # A server of one user, without a socket, so that nobody meets it half made.
        printf 'CREATE DATABASE "%s"\n' "$POSTGRES_DB" \
            | postgres --single -D "$PGDATA" postgres >/dev/null
    fi
    echo "PostgreSQL init process complete; ready for start up."
fi
exec "$@"
