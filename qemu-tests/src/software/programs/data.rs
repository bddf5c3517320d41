//! Servers that keep data, and those that pass it on.

use super::Check;
use super::Content;
use super::NOBODY;
use super::NONE;
use super::OWN;
use super::Program;

pub(super) const REDIS: Program = Program {
    name: "redis",
    packages: &["redis-server"],
    users: &[("redis", OWN, "/data")],
    folders: &[("run/redis", OWN, 0o755)],
    files: &[(
        "entrypoint.sh",
        Content::Script(
            "#!/bin/sh\nset -e\nfind . \\! -user redis -exec chown redis '{}' +\nexec gosu redis \"$@\"\n",
        ),
    )],
    entrypoint: &["/entrypoint.sh"],
    arguments: &[
        "redis-server",
        "--appendonly",
        "yes",
        "--protected-mode",
        "no",
        "--pidfile",
        "/run/redis/redis.pid",
    ],
    working_folder: "/data",
    volumes: &["/data"],
    check: Check { port: 6379, ask: b"PING\r\n", answer: b"+PONG" },
    serves_as: OWN,
    pid_file: Some("/run/redis/redis.pid"),
    ..NONE
};

pub(super) const MEMCACHED: Program = Program {
    name: "memcached",
    packages: &["memcached"],
    users: &[("memcache", OWN, "/nonexistent")],
    folders: &[("run/memcached", OWN, 0o755)],
    entrypoint: &["memcached", "-u", "memcache", "-P", "/run/memcached/memcached.pid"],
    check: Check { port: 11211, ask: b"version\r\n", answer: b"VERSION 1." },
    serves_as: OWN,
    pid_file: Some("/run/memcached/memcached.pid"),
    ..NONE
};

pub(super) const POSTGRES: Program = Program {
    name: "postgresql",
    packages: &["postgresql-15"],
    users: &[("postgres", OWN, "/var/lib/postgresql")],
    folders: &[("run/postgresql", OWN, 0o3775)],
    files: &[(
        "entrypoint.sh",
        Content::Script(
            r#"#!/bin/sh
set -e
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    mkdir -p "$PGDATA"
    chown -R postgres "$PGDATA"
    chmod 700 "$PGDATA"
    gosu postgres initdb --no-locale --encoding=UTF8 --auth=trust
    echo "host all all all trust" >> "$PGDATA/pg_hba.conf"
fi
exec gosu postgres "$@"
"#,
        ),
    )],
    entrypoint: &["/entrypoint.sh"],
    arguments: &["postgres", "-c", "listen_addresses=*"],
    environment: &["PATH=/usr/lib/postgresql/15/bin:/usr/sbin:/usr/bin", "PGDATA=/var/lib/postgresql/data"],
    volumes: &["/var/lib/postgresql/data"],
    // The first message of its protocol, version 3.0: who, and to which database.
    check: Check {
        port: 5432,
        ask: b"\0\0\0\x29\0\x03\0\0user\0postgres\0database\0postgres\0\0",
        answer: b"server_version\x0015.",
    },
    serves_as: OWN,
    pid_file: Some("/var/lib/postgresql/data/postmaster.pid"),
    ..NONE
};

pub(super) const MARIADB: Program = Program {
    name: "mariadb",
    packages: &["mariadb-server"],
    users: &[("mysql", OWN, "/nonexistent")],
    folders: &[("run/mysqld", OWN, 0o755)],
    files: &[(
        "entrypoint.sh",
        Content::Script(
            r#"#!/bin/sh
set -e
if [ ! -d /var/lib/mysql/mysql ]; then
    chown mysql /var/lib/mysql
    mariadb-install-db --user=mysql --skip-test-db --auth-root-authentication-method=normal
fi
exec "$@"
"#,
        ),
    )],
    entrypoint: &["/entrypoint.sh"],
    arguments: &["mariadbd", "--user=mysql", "--bind-address=0.0.0.0", "--pid-file=/run/mysqld/mysqld.pid"],
    volumes: &["/var/lib/mysql"],
    // It greets whoever comes.
    check: Check { port: 3306, ask: b"", answer: b"mysql_native_password" },
    serves_as: OWN,
    pid_file: Some("/run/mysqld/mysqld.pid"),
    ..NONE
};

pub(super) const OPENLDAP: Program = Program {
    name: "openldap",
    packages: &["slapd"],
    users: &[("openldap", OWN, "/var/lib/ldap")],
    folders: &[("run/slapd", OWN, 0o755)],
    files: &[
        (
            "etc/ldap/slapd.conf",
            Content::Text(
                r#"include /etc/ldap/schema/core.schema
pidfile /run/slapd/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix "dc=example,dc=com"
directory /var/lib/ldap
"#,
            ),
        ),
        (
            "entrypoint.sh",
            Content::Script("#!/bin/sh\nset -e\nchown -R openldap: /var/lib/ldap\nexec \"$@\"\n"),
        ),
    ],
    entrypoint: &["/entrypoint.sh"],
    arguments: &[
        "slapd",
        "-d",
        "0",
        "-u",
        "openldap",
        "-g",
        "openldap",
        "-f",
        "/etc/ldap/slapd.conf",
        "-h",
        "ldap:///",
    ],
    volumes: &["/var/lib/ldap"],
    // An anonymous bind, and that it succeeded (RFC 4511).
    check: Check {
        port: 389,
        ask: b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0",
        answer: b"\x61\x07\x0a\x01\0",
    },
    serves_as: OWN,
    pid_file: Some("/run/slapd/slapd.pid"),
    ..NONE
};

pub(super) const MOSQUITTO: Program = Program {
    name: "mosquitto",
    packages: &["mosquitto"],
    users: &[("mosquitto", OWN, "/var/lib/mosquitto")],
    folders: &[("run/mosquitto", OWN, 0o755)],
    files: &[
        (
            "mosquitto.conf",
            Content::Text(
                r#"user mosquitto
pid_file /run/mosquitto/mosquitto.pid
persistence true
persistence_location /var/lib/mosquitto/
log_dest stderr
listener 1883
allow_anonymous true
"#,
            ),
        ),
        (
            "entrypoint.sh",
            Content::Script("#!/bin/sh\nset -e\nchown -R mosquitto: /var/lib/mosquitto\nexec \"$@\"\n"),
        ),
    ],
    entrypoint: &["/entrypoint.sh"],
    arguments: &["mosquitto", "-c", "/mosquitto.conf"],
    volumes: &["/var/lib/mosquitto"],
    // MQTT 3.1.1: CONNECT, and CONNACK without an error.
    check: Check { port: 1883, ask: b"\x10\x10\0\x04MQTT\x04\x02\0\x3c\0\x04test", answer: b"\x20\x02\0\0" },
    serves_as: OWN,
    pid_file: Some("/run/mosquitto/mosquitto.pid"),
    ..NONE
};

/// Its public image is nobody from the start, and writes no pid file: it counts on a new volume that belongs to the owner of the image's folder.
pub(super) const PROMETHEUS: Program = Program {
    name: "prometheus",
    packages: &["prometheus"],
    folders: &[("prometheus", NOBODY, 0o755)],
    files: &[("prometheus.yml", Content::Text("global:\n  scrape_interval: 1m\n"))],
    entrypoint: &["prometheus"],
    arguments: &["--config.file=/prometheus.yml", "--storage.tsdb.path=/prometheus"],
    user: "nobody",
    working_folder: "/prometheus",
    volumes: &["/prometheus"],
    check: Check { port: 9090, ask: b"GET /-/ready HTTP/1.0\r\n\r\n", answer: b"200 OK" },
    serves_as: NOBODY,
    ..NONE
};
