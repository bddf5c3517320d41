//! The programs: twenty servers that everybody knows, each wrapped as its public image is.

mod data;
mod guestbook;
mod names;
mod web;

/// What of an image is not from packages.
#[derive(Clone, Copy, Debug)]
pub enum Content {
    /// A file for everybody to read.
    Text(&'static str),
    /// A program.
    Script(&'static str),
    /// A symbolic link to there.
    Link(&'static str),
}

/// How a program is seen to serve.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// TCP port.
    pub port: u16,
    /// What it is told first.
    pub ask: &'static [u8],
    /// What is in its answer.
    pub answer: &'static [u8],
}

/// A server program and its image.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// Packages beside the base's.
    pub packages: &'static [&'static str],
    /// Users with their homes, as installing the packages would make them.
    pub users: &'static [(&'static str, u64, &'static str)],
    /// Folders with their owners and modes.
    pub folders: &'static [(&'static str, u64, u32)],
    /// Files beside those of packages, or in their place.
    pub files: &'static [(&'static str, Content)],
    /// `Entrypoint` of the image.
    pub entrypoint: &'static [&'static str],
    /// `Cmd`.
    pub arguments: &'static [&'static str],
    /// `Env`.
    pub environment: &'static [&'static str],
    /// `User`.
    pub user: &'static str,
    /// `WorkingDir`.
    pub working_folder: &'static str,
    /// `Volumes`.
    pub volumes: &'static [&'static str],
    /// How it is seen to serve.
    pub check: Check,
    /// The user of at least one of its processes when it serves.
    pub serves_as: u64,
    /// The file with its process id; none when its image has none.
    pub pid_file: Option<&'static str>,
    /// What its image is known to want and apps are not given: a text in its output, and what it means.
    pub needs: Option<(&'static str, &'static str)>,
}

/// What there is nothing of; for the parts that a program leaves out.
const NONE: Program = Program {
    name: "",
    packages: &[],
    users: &[],
    folders: &[],
    files: &[],
    entrypoint: &[],
    arguments: &[],
    environment: &[PATH],
    user: "",
    working_folder: "",
    volumes: &[],
    check: Check { port: 0, ask: b"", answer: b"" },
    serves_as: 0,
    pid_file: None,
    needs: None,
};

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Packages of every image.
pub const BASE: &[&str] = &[
    "base-files",
    "bash",
    "ca-certificates",
    "coreutils",
    "dash",
    "debianutils",
    "findutils",
    "gosu",
    "grep",
    "hostname",
    "libc-bin",
    "mawk",
    "perl-base",
    "sed",
    "tar",
    "util-linux",
];

/// Users of every image.
pub(crate) const USERS: &[(&str, u64, &str)] = &[
    ("root", 0, "/root"),
    ("daemon", 1, "/usr/sbin"),
    ("proxy", PROXY, "/bin"),
    ("www-data", WEB, "/var/www"),
    ("nobody", NOBODY, "/nonexistent"),
];

const PROXY: u64 = 13;
const WEB: u64 = 33;
const NOBODY: u64 = 65_534;
/// The user that a program's packages make, where it does not matter which.
const OWN: u64 = 101;

/// The images of one app: the front, PostgreSQL, Redis, and two versions of what makes its pages.
pub const GUESTBOOK: &[Program] =
    &[guestbook::FRONT, guestbook::STORE, guestbook::CACHE, guestbook::FIRST, guestbook::SECOND];

/// Other runtimes for containers.
pub const RUNTIMES: &[Program] = &[Program { name: "runtimes", packages: &["crun", "runc"], ..NONE }];

/// What a household's radio is made of.
pub const RADIO: &[Program] = &[Program {
    name: "radio",
    packages: &["busybox-static", "dnsmasq-base", "hostapd", "iproute2", "iw", "wpasupplicant"],
    ..NONE
}];

/// The twenty that everybody knows.
pub const PROGRAMS: &[Program] = &[
    web::NGINX,
    web::APACHE,
    web::LIGHTTPD,
    web::HAPROXY,
    web::CADDY,
    web::SQUID,
    web::PHP,
    web::PYTHON,
    web::TRANSMISSION,
    data::REDIS,
    data::MEMCACHED,
    data::POSTGRES,
    data::MARIADB,
    data::OPENLDAP,
    data::MOSQUITTO,
    data::PROMETHEUS,
    names::UNBOUND,
    names::BIND,
    names::DNSMASQ,
    names::DOVECOT,
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_program_can_be_told_apart_started_and_seen_to_serve() {
        assert_eq!(PROGRAMS.len(), 20);
        let names: BTreeSet<&str> = PROGRAMS.iter().map(|program| program.name).collect();
        assert_eq!(names.len(), 20);
        for program in PROGRAMS {
            assert!(!program.packages.is_empty() && !program.entrypoint.is_empty(), "{}", program.name);
            assert!(program.check.port > 0 && !program.check.answer.is_empty(), "{}", program.name);
            let mut users = USERS.iter().chain(program.users).map(|(_, id, _)| *id);
            assert!(users.any(|id| id == program.serves_as), "{}", program.name);
            let script = |word: &&str| program.files.iter().any(|(path, _)| format!("/{path}") == **word);
            let own = program.entrypoint.first().filter(|word| word.starts_with("/entrypoint"));
            assert!(own.is_none_or(script), "{}", program.name);
        }
    }
}
