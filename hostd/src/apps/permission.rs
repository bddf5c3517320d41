//! What the owner can give an app and take away again, one by one.
//!
//! A permission has a name that stays the same from version to version of an app (`lan`, `domain:*.example.org`,
//! `inbound:tcp/1883:1883`, `app:broker:tcp/1883`). What was taken away is therefore not given again by an update.

use app_manifest::Manifest;
use app_manifest::Subject;
use model::apps::AppId;
use model::network::app_policy::Port;
use model::network::names::DomainPattern;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

/// One permission.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Permission {
    /// Devices at home may be reached.
    Lan,
    /// All of the Internet may be reached.
    Internet,
    /// The owner's other boxes may be reached.
    Mesh,
    /// Hosts of this name may be reached.
    Domain(DomainPattern),
    /// Devices at home may reach it.
    Inbound {
        /// Port of the box.
        port: Port,
        /// Port of the app.
        app_port: NonZeroU16,
    },
    /// Another app may be reached.
    App {
        /// Its ID when that was asked.
        app: AppId,
        /// Its port.
        port: Port,
    },
}

/// A text that names no permission.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no permission; write lan, internet, mesh, domain:<name>, inbound:<port>:<port of the app> or app:<id>:<port>"
)]
pub struct InvalidPermission(String);

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lan => f.write_str("lan"),
            Self::Internet => f.write_str("internet"),
            Self::Mesh => f.write_str("mesh"),
            Self::Domain(name) => write!(f, "domain:{name}"),
            Self::Inbound { port, app_port } => write!(f, "inbound:{port}:{app_port}"),
            Self::App { app, port } => write!(f, "app:{app}:{port}"),
        }
    }
}

impl FromStr for Permission {
    type Err = InvalidPermission;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidPermission(text.chars().take(80).collect());
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        let two = || rest.split_once(':').ok_or_else(invalid);
        let permission = match kind {
            "lan" => Self::Lan,
            "internet" => Self::Internet,
            "mesh" => Self::Mesh,
            "domain" => Self::Domain(rest.parse().ok().ok_or_else(invalid)?),
            "inbound" => {
                let (port, app_port) = two()?;
                let (port, app_port) = (port.parse().ok(), app_port.parse().ok());
                Self::Inbound { port: port.ok_or_else(invalid)?, app_port: app_port.ok_or_else(invalid)? }
            }
            "app" => {
                let (app, port) = two()?;
                Self::App {
                    app: app.parse().ok().ok_or_else(invalid)?,
                    port: port.parse().ok().ok_or_else(invalid)?,
                }
            }
            _ => return Err(invalid()),
        };
        // One text for each: `lan:` and `inbound:tcp/080:80` are none.
        if permission.to_string() == text { Ok(permission) } else { Err(invalid()) }
    }
}

impl TryFrom<String> for Permission {
    type Error = InvalidPermission;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Permission> for String {
    fn from(permission: Permission) -> Self {
        permission.to_string()
    }
}

/// What can be taken away of a thing that the owner is asked; nothing where that is how the app is made.
#[must_use]
pub fn of_subject(subject: &Subject) -> Vec<Permission> {
    match subject {
        Subject::Lan => vec![Permission::Lan],
        Subject::Internet => vec![Permission::Internet],
        Subject::Mesh => vec![Permission::Mesh],
        Subject::Domains { names } => names.iter().cloned().map(Permission::Domain).collect(),
        Subject::Inbound { port, app_port } => {
            vec![Permission::Inbound { port: *port, app_port: *app_port }]
        }
        Subject::App { app, port } => vec![Permission::App { app: app.clone(), port: *port }],
        Subject::Household | Subject::Data { .. } | Subject::Exports { .. } | Subject::Memory { .. } => {
            vec![]
        }
    }
}

/// Everything that an app asks for and that can be taken away.
#[must_use]
pub fn asked(manifest: &Manifest) -> BTreeSet<Permission> {
    app_manifest::asks(manifest).iter().flat_map(|ask| of_subject(&ask.subject)).collect()
}

/// The manifest as if it asked for no more than was given.
#[must_use]
pub fn reduced(manifest: &Manifest, granted: &BTreeSet<Permission>) -> Manifest {
    let mut reduced = manifest.clone();
    let wishes = &mut reduced.permissions;
    for (wish, permission) in [
        (&mut wishes.internet, Permission::Internet),
        (&mut wishes.lan, Permission::Lan),
        (&mut wishes.mesh, Permission::Mesh),
    ] {
        if !granted.contains(&permission) {
            *wish = None;
        }
    }
    for wish in &mut wishes.domains {
        wish.names.retain(|name| granted.contains(&Permission::Domain(name.clone())));
    }
    wishes.domains.retain(|wish| !wish.names.is_empty());
    wishes.inbound.retain(|wish| {
        let app_port = wish.app_port.unwrap_or(wish.port.number);
        granted.contains(&Permission::Inbound { port: wish.port, app_port })
    });
    wishes.apps.retain(|wish| granted.contains(&Permission::App { app: wish.app.clone(), port: wish.port }));
    reduced
}

/// What a new version has once the owner agreed to what they were shown of it: what was decided before stays so.
#[must_use]
pub fn carried(old: &Manifest, granted: &BTreeSet<Permission>, new: &Manifest) -> BTreeSet<Permission> {
    let before = asked(old);
    asked(new).into_iter().filter(|wish| !before.contains(wish) || granted.contains(wish)).collect()
}

/// What the owner is shown before an update: all that is beyond what the app has now, but for what they once took away.
#[must_use]
pub fn added(old: &Manifest, granted: &BTreeSet<Permission>, new: &Manifest) -> Vec<app_manifest::Ask> {
    let before = asked(old);
    let mut added = app_manifest::added_by(&reduced(old, granted), new);
    added.retain(|ask| {
        let wishes = of_subject(&ask.subject);
        wishes.is_empty() || wishes.iter().any(|wish| !before.contains(wish))
    });
    added
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn manifest(permissions: &str) -> Manifest {
        let text = format!(
            r#"{{"format":1,"title":"T","version":"1.0.0","containers":{{"a":{{"image":"a"}}}},"permissions":{{{permissions}}}}}"#
        );
        Manifest::read(text.as_bytes()).unwrap()
    }

    fn set(names: &[&str]) -> BTreeSet<Permission> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    const ALL: &str = r#""internet":{"reason":"r"},"lan":{"reason":"r"},"mesh":{"reason":"r"},
        "domains":[{"names":["a.org","*.b.org"],"reason":"r"}],"inbound":[{"port":"udp/82","app_port":5683,"reason":"r"}],
        "apps":[{"app":"db","port":"tcp/5432","reason":"r"}]"#;

    #[test]
    fn every_wish_has_one_name_that_comes_back() {
        let all = asked(&manifest(ALL));
        let names: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(
            names,
            [
                "lan",
                "internet",
                "mesh",
                "domain:*.b.org",
                "domain:a.org",
                "inbound:udp/82:5683",
                "app:db:tcp/5432"
            ]
        );
        assert_eq!(names.iter().map(|name| name.parse().unwrap()).collect::<BTreeSet<Permission>>(), all);
        for bad in ["", "lan:", "LAN", "domain:", "inbound:tcp/80", "inbound:tcp/80:080", "app:system:tcp/1"]
        {
            assert!(bad.parse::<Permission>().is_err(), "{bad}");
        }
    }

    #[test]
    fn nothing_is_left_but_what_was_given() {
        let all = manifest(ALL);
        assert_eq!(reduced(&all, &asked(&all)), all);
        assert!(reduced(&all, &BTreeSet::new()).permissions.is_none());
        let some = set(&["domain:a.org", "mesh"]);
        assert_eq!(asked(&reduced(&all, &some)), some);
    }

    #[test]
    fn what_was_taken_away_is_neither_asked_nor_given_again() {
        let old = manifest(r#""lan":{"reason":"r"},"internet":{"reason":"r"}"#);
        let new = manifest(r#""lan":{"reason":"r"},"internet":{"reason":"r"},"mesh":{"reason":"r"}"#);
        let granted = set(&["lan"]);
        let shown: Vec<_> = added(&old, &granted, &new).into_iter().map(|ask| ask.subject).collect();
        assert_eq!(shown, [Subject::Mesh]);
        assert_eq!(carried(&old, &granted, &new), set(&["lan", "mesh"]));
    }

    #[test]
    fn a_domain_is_asked_when_the_internet_was_taken_away() {
        let old = manifest(r#""internet":{"reason":"r"}"#);
        let new = manifest(r#""internet":{"reason":"r"},"domains":[{"names":["a.org"],"reason":"r"}]"#);
        assert_eq!(added(&old, &set(&["internet"]), &new), vec![]);
        let shown = added(&old, &BTreeSet::new(), &new);
        assert_eq!(
            shown.iter().flat_map(|ask| of_subject(&ask.subject)).collect::<BTreeSet<_>>(),
            set(&["domain:a.org"])
        );
    }

    fn wishes() -> impl Strategy<Value = (Manifest, BTreeSet<Permission>)> {
        let one = proptest::sample::subsequence(
            vec![
                "internet",
                "lan",
                "mesh",
                "domain:a.org",
                "domain:*.a.org",
                "domain:b.org",
                "inbound:tcp/1:1",
                "app:x:tcp/1",
            ],
            0..=8,
        );
        (one, any::<u8>()).prop_map(|(names, bits)| {
            let everything = manifest(
                r#""internet":{"reason":"r"},"lan":{"reason":"r"},"mesh":{"reason":"r"},
                "domains":[{"names":["a.org","b.org"],"reason":"r"},{"names":["*.a.org"],"reason":"r"}],
                "inbound":[{"port":"tcp/1","reason":"r"}],"apps":[{"app":"x","port":"tcp/1","reason":"r"}]"#,
            );
            let manifest = reduced(&everything, &set(&names));
            let granted = asked(&manifest).into_iter().enumerate();
            (manifest, granted.filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, wish)| wish).collect())
        })
    }

    proptest! {
        /// Whatever an update adds was shown, or lies within what the app had.
        #[test]
        fn nothing_is_added_unseen((old, granted) in wishes(), (new, _) in wishes()) {
            let has = carried(&old, &granted, &new);
            let shown: BTreeSet<_> = added(&old, &granted, &new).iter().flat_map(|ask| of_subject(&ask.subject)).collect();
            for wish in has.difference(&granted) {
                let is_within = match wish {
                    Permission::Domain(name) => granted.contains(&Permission::Internet)
                        || granted.iter().any(|had| matches!(had, Permission::Domain(pattern)
                            if pattern.matches(name.as_str()))),
                    Permission::Lan | Permission::Internet | Permission::Mesh | Permission::Inbound { .. }
                        | Permission::App { .. } => false,
                };
                prop_assert!(shown.contains(wish) || is_within, "{wish} of {has:?}, shown {shown:?}");
                prop_assert!(!asked(&old).contains(wish), "{wish} was taken away");
            }
        }
    }
}
