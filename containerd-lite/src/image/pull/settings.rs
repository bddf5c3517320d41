//! What the owner says about registries. Nothing said: HTTPS, public certificates, no mirror, no login.

use model::containers;
use model::containers::DEFAULT_REGISTRY;
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

impl From<&containers::Registries> for Registries {
    fn from(said: &containers::Registries) -> Self {
        let mut registries = Self::default();
        for (name, registry) in &said.0 {
            if registry.plain_http {
                registries.plain_http.push(name.to_string());
            }
            if let Some(containers::RegistryLogin { user, password }) = &registry.login {
                let login = Credentials { user: user.clone(), password: password.clone() };
                registries.credentials.insert(host_of(name.as_str()).to_owned(), login);
            }
            let mirrors = registry.mirrors.iter();
            let mirrors = mirrors
                .map(|mirror| Endpoint { host: mirror.host.to_string(), plain_http: mirror.plain_http });
            registries.mirrors.insert(name.to_string(), mirrors.collect());
        }
        registries
    }
}

/// The name that people write is not always the host that answers.
fn host_of(registry: &str) -> &str {
    if registry == DEFAULT_REGISTRY { "registry-1.docker.io" } else { registry }
}

impl Registries {
    /// Who is asked for an image of a registry, in this order.
    #[must_use]
    pub fn endpoints(&self, registry: &str) -> Vec<Endpoint> {
        let host = host_of(registry);
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
    fn a_login_is_for_the_host_that_answers() {
        let said = r#"{
            "docker.io": {"login": {"user": "ada", "password": "secret"},
                          "mirrors": [{"host": "mirror.home", "plain_http": true}]},
            "nas.home:5000": {"plain_http": true}
        }"#;
        let registries = Registries::from(&serde_json::from_str::<containers::Registries>(said).unwrap());
        assert_eq!(registries.credentials["registry-1.docker.io"].user, "ada");
        let asked = registries.endpoints("docker.io");
        let asked: Vec<_> =
            asked.iter().map(|endpoint| (endpoint.host.as_str(), endpoint.plain_http)).collect();
        assert_eq!(asked, [("mirror.home", true), ("registry-1.docker.io", false)]);
        assert!(registries.endpoints("nas.home:5000")[0].plain_http);
    }

    #[test]
    fn passwords_are_not_shown() {
        let credentials = Credentials { user: "ada".to_owned(), password: "secret".to_owned().into() };
        assert_eq!(format!("{credentials:?}"), "Credentials { user: \"ada\", .. }");
    }
}
