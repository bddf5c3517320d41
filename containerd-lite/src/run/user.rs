//! Which user and groups a program in a container has: numbers, or names of the image's `/etc/passwd` and `/etc/group`.
//!
//! Those files are the image's own and may be anything; whoever reads them gives this module at most [`MAX_FILE`] bytes of each.

use serde::Deserialize;
use serde::Serialize;

/// Most bytes of either file.
pub(crate) const MAX_FILE: u64 = 1 << 20;
/// Highest id of a container.
const MAX_ID: u32 = 65_535;
/// Most further groups of a user (`NGROUPS_MAX` is 65,536; no image needs that).
const MAX_GROUPS: usize = 256;

/// User and groups inside of the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct User {
    /// User.
    pub(crate) uid: u32,
    /// Group.
    pub(crate) gid: u32,
    /// Further groups, without that one.
    pub(crate) groups: Vec<u32>,
    /// Home folder.
    pub(crate) home: String,
}

/// The image has no such user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UserError {
    /// A name that the file does not have.
    #[error("the image has no {kind} {name:?}; name one that it has, or a number")]
    Unknown {
        /// User or group.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// A number beyond the app's range.
    #[error("{kind} {id} is beyond {MAX_ID}, the last that an app has")]
    TooHigh {
        /// User or group.
        kind: &'static str,
        /// Its number.
        id: u32,
    },
}

/// One line of `/etc/passwd`.
struct Person<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

/// Looks up `user[:group]`; nothing is root. A number needs no line in the file, and without one has group 0, as with other engines.
pub(crate) fn find(wanted: &str, passwd: &str, group: &str) -> Result<User, UserError> {
    let (user, wanted_group) = match wanted.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
        None => (wanted, None),
    };
    let user = if user.is_empty() { "0" } else { user };
    let number = user.parse::<u32>().ok();
    let person = people(passwd)
        .find(|person| person.name == user || number.is_some_and(|number| person.uid == number));
    let uid = match (&person, number) {
        (Some(person), _) => person.uid,
        (None, Some(number)) => number,
        (None, None) => return Err(UserError::Unknown { kind: "user", name: clip(user) }),
    };
    let gid = match wanted_group {
        Some(name) => group_id(name, group)?,
        None => person.as_ref().map_or(0, |person| person.gid),
    };
    // A group that somebody chose by name takes the place of the file's.
    let groups = match (&person, wanted_group) {
        (Some(person), None) => further_groups(person.name, gid, group),
        (Some(_) | None, _) => Vec::new(),
    };
    let home = person.map(|person| person.home).filter(|home| home.starts_with('/')).unwrap_or("/");
    Ok(User { uid: within("user", uid)?, gid: within("group", gid)?, groups, home: home.to_owned() })
}

fn people(passwd: &str) -> impl Iterator<Item = Person<'_>> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(Person { name, uid, gid, home: fields.nth(1).unwrap_or_default() })
    })
}

fn group_id(wanted: &str, group: &str) -> Result<u32, UserError> {
    let by_name = groups(group).find(|(name, ..)| *name == wanted).map(|(_, gid, _)| gid);
    by_name
        .or_else(|| wanted.parse().ok())
        .ok_or_else(|| UserError::Unknown { kind: "group", name: clip(wanted) })
}

fn further_groups(user: &str, gid: u32, group: &str) -> Vec<u32> {
    let mut found: Vec<u32> = groups(group)
        .filter(|(_, other, members)| {
            *other != gid && *other <= MAX_ID && members.split(',').any(|member| member == user)
        })
        .map(|(_, other, _)| other)
        .take(MAX_GROUPS)
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn groups(group: &str) -> impl Iterator<Item = (&str, u32, &str)> {
    group.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        Some((name, fields.nth(1)?.parse().ok()?, fields.next().unwrap_or_default()))
    })
}

fn within(kind: &'static str, id: u32) -> Result<u32, UserError> {
    if id <= MAX_ID { Ok(id) } else { Err(UserError::TooHigh { kind, id }) }
}

fn clip(name: &str) -> String {
    name.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n# a remark\nweb:x:33:33::/var/www:/bin/false\nbroken:x:\n\
        far:x:70000:1::/:\nrelative:x:7:7::home:\n";
    const GROUP: &str = "root:x:0:\nweb:x:33:\nlogs:x:4:web,other\nssl:x:101:other,web\nfar:x:80000:web\n";

    fn found(wanted: &str) -> (u32, u32, Vec<u32>, String) {
        let user = find(wanted, PASSWD, GROUP).unwrap();
        (user.uid, user.gid, user.groups, user.home)
    }

    #[test]
    fn names_and_numbers_lead_to_the_same_user() {
        let web = (33, 33, vec![4, 101], "/var/www".to_owned());
        assert_eq!(found("web"), web);
        assert_eq!(found("33"), web);
        for root in ["", "0", "root", ":"] {
            assert_eq!(found(root), (0, 0, vec![], "/root".to_owned()), "{root:?}");
        }
        assert_eq!(found("1000"), (1000, 0, vec![], "/".to_owned()));
        assert_eq!(found("relative"), (7, 7, vec![], "/".to_owned()));
    }

    #[test]
    fn a_group_that_is_named_takes_the_place_of_the_files() {
        assert_eq!(found("web:logs"), (33, 4, vec![], "/var/www".to_owned()));
        assert_eq!(found("1000:1001"), (1000, 1001, vec![], "/".to_owned()));
        assert_eq!(found(":ssl").1, 101);
    }

    #[test]
    fn what_the_image_does_not_have_is_refused() {
        for wanted in ["nobody", "web:nobody", "70000", "far", "0:70000", "-1", "0:far"] {
            find(wanted, PASSWD, GROUP).unwrap_err();
        }
    }

    proptest! {
        #[test]
        fn any_file_leads_to_ids_of_the_range(wanted in ".{0,20}", passwd in ".{0,200}", group in ".{0,200}") {
            if let Ok(user) = find(&wanted, &passwd, &group) {
                prop_assert!(user.uid <= MAX_ID && user.gid <= MAX_ID);
                prop_assert!(user.groups.iter().all(|gid| *gid <= MAX_ID));
                prop_assert!(user.home.starts_with('/'));
            }
        }
    }
}
