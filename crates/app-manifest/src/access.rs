//! What netd's policy has once the owner said yes.

use crate::manifest::Manifest;
use model::apps::AppId;
use model::network::app_policy::AppAccess;
use model::network::app_policy::Grant;
use model::network::app_policy::Port;
use model::network::app_policy::Protocol;
use model::network::names::AppKey;
use std::num::NonZeroU16;

/// An app that another wants to reach, and that is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it wants to reach the app {0}, which is not installed")]
pub struct MissingApp(pub AppId);

/// All that a manifest asks of the network as netd's policy has it. `key_of` finds the user's other apps by their IDs.
///
/// # Errors
/// Names the first app that is not there.
pub fn access(
    manifest: &Manifest,
    key_of: impl Fn(&AppId) -> Option<AppKey>,
) -> Result<AppAccess, MissingApp> {
    let wishes = &manifest.permissions;
    let mut access = AppAccess::default();
    let grants = &mut access.grants;
    grants.extend(wishes.internet.iter().map(|_| Grant::Internet {}));
    grants.extend(wishes.lan.iter().map(|_| Grant::Lan {}));
    grants.extend(wishes.mesh.iter().map(|_| Grant::Mesh {}));
    grants.extend(wishes.domains.iter().map(|wish| Grant::Domains { names: wish.names.clone() }));
    grants.extend(wishes.inbound.iter().map(|wish| Grant::Inbound {
        box_port: wish.port,
        app_port: wish.app_port.unwrap_or(wish.port.number),
    }));
    for wish in &wishes.apps {
        let app = key_of(&wish.app).ok_or_else(|| MissingApp(wish.app.clone()))?;
        access.grants.insert(Grant::App { app, port: wish.port });
    }
    let tcp = |number: NonZeroU16| Port { protocol: Protocol::Tcp, number };
    access.serves.extend(manifest.display.iter().map(|display| tcp(display.port)));
    access.serves.extend(manifest.exports.iter().filter_map(|export| export.port).map(tcp));
    // The box looks there whether the app works.
    let checks =
        manifest.containers.values().filter_map(|container| container.health.as_ref()?.http.as_ref());
    access.serves.extend(checks.map(|http| tcp(http.port)));
    Ok(access)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &str = r#"{"format":1,"title":"T","version":"1.0.0","containers":{"web":{"image":"a","health":{"http":{"port":8000,"path":"/health"}}}},"display":{"port":8080},
        "exports":[{"api":"a.org/x","path":"/x","port":81},{"api":"a.org/y","path":"/y"}],
        "permissions":{"internet":{"reason":"r"},"lan":{"reason":"r"},"mesh":{"reason":"r"},
            "domains":[{"names":["*.a.org"],"reason":"r"}],
            "inbound":[{"port":"tcp/1883","reason":"r"},{"port":"udp/82","app_port":5683,"reason":"r"}],
            "apps":[{"app":"db","port":"tcp/5432","reason":"r"}]}}"#;

    #[test]
    fn each_wish_is_a_grant_and_pages_exports_and_checks_are_served() {
        let manifest = Manifest::read(ALL.as_bytes()).unwrap();
        let access = access(&manifest, |id| (id.as_str() == "db").then(|| "k1".parse().unwrap())).unwrap();
        let wanted = r#"{"grants":[{"to":"lan"},{"to":"internet"},{"to":"domains","names":["*.a.org"]},{"to":"mesh"},
            {"to":"inbound","box_port":"tcp/1883","app_port":1883},{"to":"inbound","box_port":"udp/82","app_port":5683},
            {"to":"app","app":"k1","port":"tcp/5432"}],"serves":["tcp/81","tcp/8000","tcp/8080"]}"#;
        assert_eq!(access, serde_json::from_str(wanted).unwrap());
    }

    #[test]
    fn an_app_that_is_not_there_is_named() {
        let manifest = Manifest::read(ALL.as_bytes()).unwrap();
        assert_eq!(access(&manifest, |_| None), Err(MissingApp("db".parse().unwrap())));
    }
}
