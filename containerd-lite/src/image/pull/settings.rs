//! What the owner says about registries. Nothing said: HTTPS, public certificates, no mirror, no login.

use crate::image::reference::DEFAULT_REGISTRY;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// A place that speaks the protocol of registries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A host, with a port perhaps.
    pub host: String,
    /// Without encryption: whoever is on the way sees what is pulled. What is pulled by digest is the same nonetheless.
    pub plain_http: bool,
}

/// A login.
#[derive(Clone)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// The password, or a token in its place.
    pub password: Zeroizing<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Settings, by the registry in the name of an image.
#[derive(Clone, Debug)]
pub struct Registries {
    /// Registries that are spoken to without encryption.
    pub plain_http: Vec<String>,
    /// Who is asked before a registry.
    pub mirrors: BTreeMap<String, Vec<Endpoint>>,
    /// Logins, by the host that they are for.
    pub credentials: BTreeMap<String, Credentials>,
    /// How long a registry may take to answer, or send nothing in the middle of an answer.
    pub stall: Duration,
}

impl Default for Registries {
    fn default() -> Self {
        Self {
            plain_http: Vec::new(),
            mirrors: BTreeMap::new(),
            credentials: BTreeMap::new(),
            stall: Duration::from_secs(30),
        }
    }
}

impl Registries {
    /// Who is asked for an image of a registry, in this order.
    #[must_use]
    pub fn endpoints(&self, registry: &str) -> Vec<Endpoint> {
        // The name that people write is not the host that answers.
        let host = if registry == DEFAULT_REGISTRY { "registry-1.docker.io" } else { registry };
        let plain_http = self.plain_http.iter().any(|plain| plain == registry);
        let itself = Endpoint { host: host.to_owned(), plain_http };
        self.mirrors.get(registry).into_iter().flatten().cloned().chain([itself]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_said_is_plain() {
        let mirror = Endpoint { host: "mirror.home:5000".to_owned(), plain_http: true };
        let registries = Registries {
            plain_http: vec!["nas.home:5000".to_owned()],
            mirrors: BTreeMap::from([("docker.io".to_owned(), vec![mirror.clone()])]),
            ..Registries::default()
        };
        let secure = |host: &str| Endpoint { host: host.to_owned(), plain_http: false };
        assert_eq!(registries.endpoints("docker.io"), [mirror, secure("registry-1.docker.io")]);
        assert_eq!(registries.endpoints("ghcr.io"), [secure("ghcr.io")]);
        assert!(registries.endpoints("nas.home:5000")[0].plain_http);
        assert!(!registries.endpoints("localhost")[0].plain_http);
    }

    #[test]
    fn passwords_are_not_shown() {
        let credentials = Credentials { user: "ada".to_owned(), password: "secret".to_owned().into() };
        assert_eq!(format!("{credentials:?}"), "Credentials { user: \"ada\", .. }");
    }
}
