//! Servers of names and of mail.

use super::Check;
use super::Content;
use super::NONE;
use super::OWN;
use super::Program;

/// A question over TCP (RFC 1035) for the address of `hearth.test`, and the address in the answer.
const NAME: Check = Check {
    port: 53,
    ask: b"\0\x1d\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x06hearth\x04test\0\0\x01\0\x01",
    answer: b"\xc0\0\x02\x07",
};

pub(super) const UNBOUND: Program = Program {
    name: "unbound",
    packages: &["unbound"],
    users: &[("unbound", OWN, "/var/lib/unbound")],
    files: &[(
        "etc/unbound/unbound.conf",
        Content::Text(
            r#"server:
    username: "unbound"
    chroot: ""
    pidfile: "/run/unbound.pid"
    interface: 0.0.0.0
    do-daemonize: no
    use-syslog: no
    module-config: "iterator"
    local-zone: "hearth.test." static
    local-data: "hearth.test. A 192.0.2.7"
remote-control:
    control-enable: no
"#,
        ),
    )],
    entrypoint: &["unbound", "-d"],
    check: NAME,
    serves_as: OWN,
    pid_file: Some("/run/unbound.pid"),
    ..NONE
};

/// It counts on a new volume that belongs to the owner of the image's folder.
pub(super) const BIND: Program = Program {
    name: "bind9",
    packages: &["bind9"],
    users: &[("bind", OWN, "/var/cache/bind")],
    folders: &[("run/named", OWN, 0o755), ("var/cache/bind", OWN, 0o775)],
    files: &[
        (
            "etc/bind/named.conf",
            Content::Text(
                r#"options {
    directory "/var/cache/bind";
    pid-file "/run/named/named.pid";
    listen-on { any; };
    recursion no;
    dnssec-validation no;
};
controls { };
zone "hearth.test" { type primary; file "/etc/bind/hearth.test"; };
"#,
            ),
        ),
        (
            "etc/bind/hearth.test",
            Content::Text("$TTL 60\n@ SOA @ root 1 60 60 60 60\n@ NS @\n@ A 192.0.2.7\n"),
        ),
    ],
    entrypoint: &["named"],
    arguments: &["-f", "-g", "-u", "bind", "-c", "/etc/bind/named.conf"],
    volumes: &["/var/cache/bind"],
    check: NAME,
    serves_as: OWN,
    pid_file: Some("/run/named/named.pid"),
    ..NONE
};

pub(super) const DNSMASQ: Program = Program {
    name: "dnsmasq",
    packages: &["dnsmasq-base"],
    users: &[("dnsmasq", OWN, "/var/lib/misc")],
    folders: &[("run/dnsmasq", OWN, 0o755)],
    entrypoint: &["dnsmasq", "--keep-in-foreground"],
    arguments: &[
        "--user=dnsmasq",
        "--group=dnsmasq",
        "--pid-file=/run/dnsmasq/dnsmasq.pid",
        "--log-facility=-",
        "--no-resolv",
        "--no-hosts",
        "--address=/hearth.test/192.0.2.7",
    ],
    check: NAME,
    serves_as: OWN,
    pid_file: Some("/run/dnsmasq/dnsmasq.pid"),
    ..NONE
};

/// As its defaults are: processes that nobody has logged in to are locked in an empty folder.
pub(super) const DOVECOT: Program = Program {
    name: "dovecot",
    packages: &["dovecot-imapd"],
    users: &[("dovecot", OWN, "/usr/lib/dovecot"), ("dovenull", 102, "/nonexistent")],
    folders: &[("run/dovecot", 0, 0o755)],
    files: &[(
        "etc/dovecot/dovecot.conf",
        Content::Text(
            r#"protocols = imap
ssl = no
log_path = /dev/stderr
mail_location = maildir:/srv/mail/%u
passdb {
  driver = static
  args = password=x
}
userdb {
  driver = static
  args = uid=1000 gid=1000 home=/srv/mail/%u
}
"#,
        ),
    )],
    entrypoint: &["dovecot", "-F"],
    volumes: &["/srv/mail"],
    check: Check { port: 143, ask: b"", answer: b"Dovecot" },
    serves_as: OWN,
    pid_file: Some("/run/dovecot/master.pid"),
    needs: Some(("chroot", "to lock its own processes in folders (chroot, CAP_SYS_CHROOT)")),
    ..NONE
};
