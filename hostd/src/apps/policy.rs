//! All apps → who may reach what, as netd takes it. Pure.
//!
//! Each user's apps are one workspace, and so are the household's. An app is in the policy from before it is placed until after it is
//! gone ([`Phase::admitted`](super::flow::Phase::admitted)); what was taken from it is not in it.

use super::permission::reduced;
use super::record::AppRecord;
use super::record::Edition;
use app_manifest::MissingApp;
use app_manifest::access;
use model::network::app_policy::AppAccess;
use model::network::app_policy::AppPolicy;
use model::network::app_policy::Grant;
use model::network::app_policy::Port;
use model::network::app_policy::Protocol;
use model::network::names::AppKey;
use model::network::names::InvalidKey;

/// Why there is no policy; never where all records were checked.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A workspace without a key.
    #[error("name a workspace")]
    Workspace(#[from] InvalidKey),
    /// A link that leads nowhere.
    #[error(transparent)]
    Missing(#[from] MissingApp),
}

/// The policy of these apps.
///
/// # Errors
///
/// When a record contradicts itself.
pub fn policy<'a>(records: impl Iterator<Item = &'a AppRecord>) -> Result<AppPolicy, PolicyError> {
    let mut policy = AppPolicy::default();
    for record in records {
        let Some(edition) = record.phase.admitted() else { continue };
        let workspace = policy.workspaces.entry(record.owner.workspace()?).or_default();
        workspace.apps.insert(record.key.clone(), access_of(edition)?);
    }
    for workspace in policy.workspaces.values_mut() {
        let here: Vec<AppKey> = workspace.apps.keys().cloned().collect();
        for (key, access) in &mut workspace.apps {
            // An app that has gone since takes with it what led to it.
            access.grants.retain(|grant| match grant {
                Grant::App { app, .. } => app != key && here.contains(app),
                Grant::Lan {}
                | Grant::Internet {}
                | Grant::Mesh {}
                | Grant::Domains { .. }
                | Grant::Inbound { .. } => true,
            });
        }
    }
    Ok(policy)
}

fn access_of(edition: &Edition) -> Result<AppAccess, MissingApp> {
    let given = reduced(&edition.manifest, &edition.granted);
    // A link that was never resolved leads nowhere: it is left out rather than guessed.
    let mut known = given.clone();
    known.permissions.apps.retain(|wish| edition.links.contains_key(&wish.app));
    let mut access = access(&known, |id| edition.links.get(id).cloned())?;
    if edition.manifest.exports.iter().any(|export| export.port.is_none()) {
        access.serves.insert(Port { protocol: Protocol::Tcp, number: edition.assigned_port });
    }
    Ok(access)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apps::flow::Data;
    use crate::apps::flow::InstallStep;
    use crate::apps::flow::Phase;
    use crate::apps::flow::RemoveStep;
    use crate::apps::permission::Permission;
    use crate::apps::permission::asked;
    use crate::apps::record::Owner;
    use app_manifest::Manifest;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn manifest() -> Manifest {
        let text = br#"{"format":1,"title":"T","version":"1.0.0","containers":{"a":{"image":"a"}},"display":{"port":80},
            "exports":[{"api":"a.org/x","path":"/x"}],
            "permissions":{"lan":{"reason":"r"},"internet":{"reason":"r"},"domains":[{"names":["a.org","b.org"],"reason":"r"}],
            "inbound":[{"port":"tcp/1883","reason":"r"}],"apps":[{"app":"db","port":"tcp/5432","reason":"r"}]}}"#;
        Manifest::read(text).unwrap()
    }

    fn record(key: &str, owner: Owner, granted: BTreeSet<Permission>, link: Option<&str>) -> AppRecord {
        let links = link.map(|key| ("db".parse().unwrap(), key.parse().unwrap())).into_iter().collect();
        let edition = Edition {
            manifest: manifest(),
            granted,
            links,
            assigned_port: 8426.try_into().unwrap(),
            images: std::collections::BTreeMap::new(),
            is_bare: false,
        };
        AppRecord {
            key: key.parse().unwrap(),
            id: key.parse().unwrap(),
            owner,
            phase: Phase::Installed { edition },
            problem: None,
            secret: None,
        }
    }

    fn user(name: &str) -> Owner {
        Owner::User(name.to_owned().try_into().unwrap())
    }

    #[test]
    fn an_app_has_what_was_given_and_serves_what_the_box_reaches() {
        let mut granted = asked(&manifest());
        granted.remove(&Permission::Lan);
        granted.remove(&"domain:b.org".parse().unwrap());
        let apps = [
            record("k1", user("anna"), granted, Some("k2")),
            record("k2", user("anna"), BTreeSet::new(), None),
        ];
        let policy = policy(apps.iter()).unwrap();
        policy.check().unwrap();
        let (_, access) = policy.app(&"k1".parse().unwrap()).unwrap();
        let wanted = r#"{"grants":[{"to":"internet"},{"to":"domains","names":["a.org"]},
            {"to":"inbound","box_port":"tcp/1883","app_port":1883},{"to":"app","app":"k2","port":"tcp/5432"}],
            "serves":["tcp/80","tcp/8426"]}"#;
        assert_eq!(*access, serde_json::from_str(wanted).unwrap());
        assert!(policy.app(&"k2".parse().unwrap()).unwrap().1.grants.is_empty());
    }

    #[test]
    fn a_link_ends_with_the_app_it_leads_to_and_never_leaves_the_workspace() {
        let all = asked(&manifest());
        let links = |apps: &[AppRecord]| {
            let policy = policy(apps.iter()).unwrap();
            let (_, access) = policy.app(&"k1".parse().unwrap()).unwrap();
            access.grants.iter().filter(|grant| matches!(grant, Grant::App { .. })).count()
        };
        let from = record("k1", user("anna"), all, Some("k2"));
        let to = |owner| record("k2", owner, BTreeSet::new(), None);
        assert_eq!(links(&[from.clone(), to(user("anna"))]), 1);
        assert_eq!(links(std::slice::from_ref(&from)), 0);
        assert_eq!(links(&[from.clone(), to(user("berta"))]), 0);
        assert_eq!(links(&[from, to(Owner::Household)]), 0);
    }

    #[test]
    fn what_is_not_placed_yet_or_gone_is_not_in_it() {
        let base = record("k1", Owner::Household, BTreeSet::new(), None);
        let edition = base.edition().clone();
        let why = String::new();
        for (phase, is_in) in [
            (Phase::Installing { edition: edition.clone(), takes_up: false, step: InstallStep::Pull }, false),
            (Phase::Installing { edition: edition.clone(), takes_up: false, step: InstallStep::Admit }, true),
            (
                Phase::Installing {
                    edition: edition.clone(),
                    takes_up: false,
                    step: InstallStep::Shut { why },
                },
                false,
            ),
            (Phase::Removing { edition: edition.clone(), data: Data::Keep, step: RemoveStep::Take }, true),
            (Phase::Removing { edition: edition.clone(), data: Data::Keep, step: RemoveStep::Shut }, false),
            (Phase::Removed { edition }, false),
        ] {
            let record = AppRecord { phase, ..base.clone() };
            assert_eq!(
                policy([&record].into_iter()).unwrap().apps().count(),
                usize::from(is_in),
                "{record:?}"
            );
        }
    }

    proptest! {
        /// Whoever has what: each app is in its owner's workspace alone, has nothing that was not given, and netd takes it unless two
        /// apps want one port.
        #[test]
        fn a_policy_gives_no_more_than_was_given(
            apps in proptest::collection::vec((0..3_usize, any::<u8>(), proptest::option::of(0..6_usize)), 0..6)
        ) {
            let names = ["anna", "berta", ""];
            let records: Vec<AppRecord> = apps.iter().enumerate().map(|(number, (who, bits, link))| {
                let owner = names.get(*who).filter(|name| !name.is_empty()).map_or(Owner::Household, |name| user(name));
                let granted = asked(&manifest()).into_iter().enumerate();
                let granted = granted.filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, wish)| wish).collect();
                record(&format!("k{number}"), owner, granted, link.map(|to| format!("k{to}")).as_deref())
            }).collect();
            let policy = policy(records.iter()).unwrap();
            prop_assert_eq!(policy.apps().count(), records.len());
            for record in &records {
                let (workspace, access) = policy.app(&record.key).unwrap();
                prop_assert_eq!(workspace, &record.owner.workspace().unwrap());
                let has = |permission: &str| record.edition().granted.contains(&permission.parse().unwrap());
                for grant in &access.grants {
                    let is_given = match grant {
                        Grant::Lan {} => has("lan"),
                        Grant::Internet {} => has("internet"),
                        Grant::Mesh {} => false,
                        Grant::Domains { names } => names.iter().all(|name| has(&format!("domain:{name}"))),
                        Grant::Inbound { .. } => has("inbound:tcp/1883:1883"),
                        Grant::App { app, .. } => has("app:db:tcp/5432")
                            && records.iter().any(|to| to.key == *app && to.owner == record.owner),
                    };
                    prop_assert!(is_given, "{grant:?} of {record:?}");
                }
            }
            let with_port = records.iter().filter(|record| {
                record.edition().granted.contains(&"inbound:tcp/1883:1883".parse().unwrap())
            });
            prop_assert_eq!(policy.check().is_ok(), with_port.count() < 2);
        }
    }
}
