//! A web app of four servers, as people have it from a `docker-compose.yml`: nginx in front of Python, with PostgreSQL and Redis behind.

use super::Content;
use super::Program;
use super::data;
use super::web;

/// Port of Python's server, which only nginx asks.
const INNER: u16 = 8000;

pub(super) const FRONT: Program = Program {
    name: "front",
    files: &[(
        "etc/nginx/sites-enabled/default",
        Content::Text(
            "server { listen 80; listen [::]:80; location / { proxy_set_header Host $host; proxy_pass http://127.0.0.1:8000; } }\n",
        ),
    )],
    ..web::NGINX
};

pub(super) const STORE: Program = data::POSTGRES;

pub(super) const CACHE: Program = data::REDIS;

const APP: &str = r#"import html
import os
import urllib.parse

import psycopg2
import redis

cache = redis.Redis()


def entries(add=None):
    with psycopg2.connect("host=127.0.0.1 user=postgres dbname=postgres") as db, db.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS entries (id serial PRIMARY KEY, text varchar(200))")
        if add is not None:
            cursor.execute("INSERT INTO entries (text) VALUES (%s)", (add[:200],))
        cursor.execute("SELECT text FROM entries ORDER BY id")
        return [text for (text,) in cursor.fetchall()]


def page():
    items = "".join(f"<li>{html.escape(text)}</li>" for text in entries())
    return f"""<!doctype html><html lang="en"><title>Guestbook</title>
<h1>Guestbook {os.environ["VERSION"]}</h1><p id="visits">{cache.incr("visits")}</p><ul>{items}</ul>
<form method="post"><label>Your line <input name="line"></label><button>Sign</button></form>"""


def application(environ, start_response):
    if environ["PATH_INFO"] == "/health":
        entries()
        cache.ping()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"well"]
    if environ["REQUEST_METHOD"] == "POST":
        body = environ["wsgi.input"].read(min(int(environ["CONTENT_LENGTH"]), 4096)).decode()
        entries(add=urllib.parse.parse_qs(body)["line"][0])
        start_response("303 See Other", [("Location", "/")])
        return []
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    return [page().encode()]
"#;

const fn book(name: &'static str, environment: &'static [&'static str]) -> Program {
    Program {
        name,
        packages: &["gunicorn", "python3-psycopg2", "python3-redis"],
        files: &[("srv/app.py", Content::Text(APP))],
        environment,
        check: super::Check { port: INNER, ..web::PYTHON.check },
        ..web::PYTHON
    }
}

pub(super) const FIRST: Program = book("book-1", &[super::PATH, "VERSION=1"]);
pub(super) const SECOND: Program = book("book-2", &[super::PATH, "VERSION=2"]);
