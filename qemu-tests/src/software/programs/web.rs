//! Servers of web pages and files.

use super::Check;
use super::Content;
use super::NONE;
use super::OWN;
use super::PROXY;
use super::Program;
use super::WEB;

const PAGE: &[u8] = b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n";

pub(super) const NGINX: Program = Program {
    name: "nginx",
    packages: &["nginx-light"],
    folders: &[("var/log/nginx", WEB, 0o755)],
    files: &[
        (
            "etc/nginx/sites-enabled/default",
            Content::Text("server { listen 80; listen [::]:80; root /var/www/html; }\n"),
        ),
        ("var/www/html/index.html", Content::Text("served by nginx\n")),
        ("var/log/nginx/access.log", Content::Link("/dev/stdout")),
        ("var/log/nginx/error.log", Content::Link("/dev/stderr")),
    ],
    entrypoint: &["nginx", "-g", "daemon off;"],
    check: Check { port: 80, ask: PAGE, answer: b"served by nginx" },
    serves_as: WEB,
    pid_file: Some("/run/nginx.pid"),
    ..NONE
};

pub(super) const APACHE: Program = Program {
    name: "apache2",
    packages: &["apache2"],
    folders: &[("run/apache2", 0, 0o755), ("run/lock/apache2", WEB, 0o755), ("var/log/apache2", 0, 0o755)],
    files: &[
        ("etc/apache2/mods-enabled/mpm_event.load", Content::Link("../mods-available/mpm_event.load")),
        ("etc/apache2/mods-enabled/mpm_event.conf", Content::Link("../mods-available/mpm_event.conf")),
        ("etc/apache2/mods-enabled/authz_core.load", Content::Link("../mods-available/authz_core.load")),
        ("etc/apache2/mods-enabled/dir.load", Content::Link("../mods-available/dir.load")),
        ("etc/apache2/mods-enabled/dir.conf", Content::Link("../mods-available/dir.conf")),
        ("etc/apache2/sites-enabled/000-default.conf", Content::Link("../sites-available/000-default.conf")),
        ("var/www/html/index.html", Content::Text("served by apache\n")),
        ("var/log/apache2/access.log", Content::Link("/dev/stdout")),
        ("var/log/apache2/error.log", Content::Link("/dev/stderr")),
    ],
    entrypoint: &["apache2", "-DFOREGROUND"],
    environment: &[
        super::PATH,
        "APACHE_RUN_USER=www-data",
        "APACHE_RUN_GROUP=www-data",
        "APACHE_RUN_DIR=/run/apache2",
        "APACHE_PID_FILE=/run/apache2/apache2.pid",
        "APACHE_LOCK_DIR=/var/lock/apache2",
        "APACHE_LOG_DIR=/var/log/apache2",
    ],
    check: Check { port: 80, ask: PAGE, answer: b"served by apache" },
    serves_as: WEB,
    pid_file: Some("/run/apache2/apache2.pid"),
    ..NONE
};

pub(super) const LIGHTTPD: Program = Program {
    name: "lighttpd",
    packages: &["lighttpd"],
    files: &[
        (
            "etc/lighttpd/lighttpd.conf",
            Content::Text(
                r#"server.document-root = "/var/www/html"
server.port = 80
server.username = "www-data"
server.groupname = "www-data"
server.pid-file = "/run/lighttpd.pid"
index-file.names = ( "index.html" )
mimetype.assign = ( ".html" => "text/html" )
"#,
            ),
        ),
        ("var/www/html/index.html", Content::Text("served by lighttpd\n")),
    ],
    entrypoint: &["lighttpd", "-D", "-f", "/etc/lighttpd/lighttpd.conf"],
    check: Check { port: 80, ask: PAGE, answer: b"served by lighttpd" },
    serves_as: WEB,
    pid_file: Some("/run/lighttpd.pid"),
    ..NONE
};

pub(super) const HAPROXY: Program = Program {
    name: "haproxy",
    packages: &["haproxy"],
    users: &[("haproxy", OWN, "/var/lib/haproxy")],
    files: &[(
        "usr/local/etc/haproxy/haproxy.cfg",
        Content::Text(
            r#"global
    log stdout format raw local0
    user haproxy
    group haproxy
    pidfile /run/haproxy.pid
defaults
    mode http
    timeout client 10s
    timeout connect 10s
    timeout server 10s
frontend web
    bind :80
    http-request return status 200 content-type text/plain string "served by haproxy"
"#,
        ),
    )],
    entrypoint: &["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"],
    check: Check { port: 80, ask: PAGE, answer: b"served by haproxy" },
    serves_as: OWN,
    pid_file: Some("/run/haproxy.pid"),
    ..NONE
};

/// Its public image stays root.
pub(super) const CADDY: Program = Program {
    name: "caddy",
    packages: &["caddy"],
    files: &[("etc/caddy/Caddyfile", Content::Text(":80 {\n\trespond \"served by caddy\"\n}\n"))],
    entrypoint: &[
        "caddy",
        "run",
        "--config",
        "/etc/caddy/Caddyfile",
        "--adapter",
        "caddyfile",
        "--pidfile",
        "/run/caddy.pid",
    ],
    environment: &[super::PATH, "XDG_CONFIG_HOME=/config", "XDG_DATA_HOME=/data"],
    volumes: &["/config", "/data"],
    check: Check { port: 80, ask: PAGE, answer: b"served by caddy" },
    serves_as: 0,
    pid_file: Some("/run/caddy.pid"),
    ..NONE
};

pub(super) const SQUID: Program = Program {
    name: "squid",
    packages: &["squid"],
    folders: &[("var/log/squid", PROXY, 0o750), ("var/spool/squid", PROXY, 0o750)],
    files: &[(
        "etc/squid/squid.conf",
        Content::Text(
            "http_port 3128\npid_filename /run/squid.pid\naccess_log none\nhttp_access deny all\nshutdown_lifetime 1 seconds\n",
        ),
    )],
    entrypoint: &["squid", "-NYC", "-f", "/etc/squid/squid.conf"],
    volumes: &["/var/spool/squid"],
    check: Check { port: 3128, ask: b"GET http://localhost/ HTTP/1.0\r\n\r\n", answer: b"ERR_ACCESS_DENIED" },
    serves_as: PROXY,
    pid_file: Some("/run/squid.pid"),
    ..NONE
};

pub(super) const PHP: Program = Program {
    name: "php-fpm",
    packages: &["php8.2-fpm"],
    folders: &[("run/php", 0, 0o755)],
    files: &[
        (
            "etc/php/8.2/fpm/pool.d/www.conf",
            Content::Text(
                "[www]\nuser = www-data\ngroup = www-data\nlisten = 9000\npm = static\npm.max_children = 2\ncatch_workers_output = yes\n",
            ),
        ),
        ("var/www/html/index.php", Content::Text("<?php echo \"served by \" . \"php\";\n")),
    ],
    entrypoint: &["php-fpm8.2", "--nodaemonize"],
    working_folder: "/var/www/html",
    // FastCGI 1.0: the beginning of a request, its variables, their end, and no input.
    check: Check {
        port: 9000,
        ask: b"\x01\x01\0\x01\0\x08\0\0\0\x01\0\0\0\0\0\0\x01\x04\0\x01\0\x3b\0\0\x0f\x17SCRIPT_FILENAME/var/www/html/index.php\
            \x0e\x03REQUEST_METHODGET\x01\x04\0\x01\0\0\0\0\x01\x05\0\x01\0\0\0\0",
        answer: b"served by php",
    },
    serves_as: WEB,
    pid_file: Some("/run/php/php8.2-fpm.pid"),
    ..NONE
};

pub(super) const PYTHON: Program = Program {
    name: "gunicorn (Python)",
    packages: &["gunicorn"],
    files: &[(
        "srv/app.py",
        Content::Text(
            r#"import json
import threading


def application(environ, start_response):
    text = json.dumps({"served by": "python", "threads": threading.active_count()})
    start_response("200 OK", [("Content-Type", "application/json")])
    return [text.encode()]
"#,
        ),
    )],
    entrypoint: &["gunicorn"],
    arguments: &[
        "--bind=0.0.0.0:8000",
        "--user=www-data",
        "--group=www-data",
        "--pid=/run/gunicorn.pid",
        "app:application",
    ],
    working_folder: "/srv",
    check: Check { port: 8000, ask: PAGE, answer: b"\"served by\": \"python\"" },
    serves_as: WEB,
    pid_file: Some("/run/gunicorn.pid"),
    ..NONE
};

pub(super) const TRANSMISSION: Program = Program {
    name: "transmission",
    packages: &["transmission-daemon"],
    users: &[("debian-transmission", OWN, "/config")],
    folders: &[("run/transmission", OWN, 0o755)],
    files: &[(
        "entrypoint.sh",
        Content::Script(
            "#!/bin/sh\nset -e\nchown -R debian-transmission: /config /downloads\nexec gosu debian-transmission \"$@\"\n",
        ),
    )],
    entrypoint: &["/entrypoint.sh"],
    arguments: &[
        "transmission-daemon",
        "--foreground",
        "--config-dir",
        "/config",
        "--download-dir",
        "/downloads",
        "--allowed",
        "*",
        "--pid-file",
        "/run/transmission/pid",
    ],
    volumes: &["/config", "/downloads"],
    check: Check {
        port: 9091,
        ask: b"GET /transmission/rpc HTTP/1.0\r\nHost: localhost\r\n\r\n",
        answer: b"X-Transmission-Session-Id",
    },
    serves_as: OWN,
    pid_file: Some("/run/transmission/pid"),
    ..NONE
};
