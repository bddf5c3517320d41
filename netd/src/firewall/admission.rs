//! What the resolver needs to know of apps: who asks, and what he may know. Pure data.

use crate::firewall::permission::Permission;
use model::network::names::AppKey;
use model::network::names::DomainPattern;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Apps by the addresses they ask from; rules see to it that nobody else does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admissions {
    /// Apps that may ask.
    pub apps: BTreeMap<AppKey, Admission>,
}

/// What an app may know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Every name of the Internet.
    pub internet: bool,
    /// These names of the Internet.
    pub names: BTreeSet<DomainPattern>,
    /// Names of the home network.
    pub home: bool,
    /// Other apps it may reach, with their addresses.
    pub apps: BTreeMap<AppKey, Vec<IpAddr>>,
}

impl Admissions {
    /// Works them out from what is allowed.
    #[must_use]
    pub fn of(permissions: &BTreeSet<Permission>, addresses: &BTreeMap<AppKey, Vec<IpAddr>>) -> Self {
        let mut apps: BTreeMap<AppKey, Admission> = BTreeMap::new();
        for permission in permissions {
            if let Permission::Names { app } = permission
                && let Some(own) = addresses.get(app)
            {
                apps.insert(app.clone(), Admission { addresses: own.clone(), ..Admission::default() });
            }
        }
        for permission in permissions {
            let Some(admission) = permission.app().and_then(|app| apps.get_mut(app)) else { continue };
            match permission {
                Permission::Internet { .. } => admission.internet = true,
                Permission::Lan { .. } => admission.home = true,
                Permission::Domain { name, .. } => {
                    admission.names.insert(name.clone());
                }
                Permission::Link { to, .. } => {
                    if let Some(theirs) = addresses.get(to) {
                        admission.apps.insert(to.clone(), theirs.clone());
                    }
                }
                Permission::BoxOut
                | Permission::LanToBox(_)
                | Permission::Names { .. }
                | Permission::Gateway { .. }
                | Permission::Served { .. }
                | Permission::Mesh { .. }
                | Permission::Inbound { .. } => {}
            }
        }
        Self { apps }
    }
}
