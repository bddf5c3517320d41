//! What the owner says about registries of images. Of one that nothing was said about: HTTPS, public certificates, no mirror, no login.

use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;
use zeroize::Zeroizing;

/// Most registries that something is said about.
pub const MAX_REGISTRIES: usize = 64;
/// Most mirrors of one registry.
pub const MAX_MIRRORS: usize = 8;
/// Longest name of a registry, in bytes: that of a host (RFC 1035, section 3.1), brackets and a port.
const MAX_NAME: usize = 255;
/// Longest name of a user, in bytes.
const MAX_USER: usize = 256;
/// Longest password, in bytes: some registries take tokens of 2 to 4 KiB.
const MAX_PASSWORD: usize = 8 << 10;
/// The registry of images whose name has none.
pub const DEFAULT_REGISTRY: &str = "docker.io";

/// A registry, as the names of images have it: a host, with a port perhaps. Docker's has three names, of which this is the one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RegistryName(String);

/// Why a text is no name of a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a registry is called like a host, with a port perhaps, such as registry.example.net or 192.168.1.9:5000"
)]
pub struct InvalidRegistryName;

/// What was said, by registry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Registries(pub BTreeMap<RegistryName, Registry>);

/// What was said about one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    /// It is spoken to without encryption: whoever is on the way sees and may change what is pulled by a tag.
    #[serde(default)]
    pub plain_http: bool,
    /// How the box logs in to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<RegistryLogin>,
    /// Who is asked before it, in this order. A mirror that wants a login has an entry of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<RegistryMirror>,
}

/// How the box logs in to a registry.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryLogin {
    /// The user.
    pub user: String,
    /// The password, or a token in its place.
    pub password: Zeroizing<String>,
}

/// Who is asked before a registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryMirror {
    /// A host, with a port perhaps.
    pub host: RegistryName,
    /// It is spoken to without encryption.
    #[serde(default)]
    pub plain_http: bool,
}

/// Why what was said cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRegistries {
    /// Too many registries.
    #[error("at most {MAX_REGISTRIES} registries can be set")]
    Many,
    /// Too many mirrors.
    #[error("a registry has at most {MAX_MIRRORS} mirrors")]
    Mirrors,
    /// The name of a user.
    #[error("the user of a registry has 1 to {MAX_USER} bytes, no colon and no control character")]
    User,
    /// A password.
    #[error("the password of a registry has 1 to {MAX_PASSWORD} bytes and no control character")]
    Password,
    /// A password would be sent without encryption.
    #[error("the box does not send a password without encryption: {0} needs HTTPS for a login")]
    PlainLogin(RegistryName),
}

impl RegistryName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RegistryName {
    type Err = InvalidRegistryName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "index.docker.io" | "registry-1.docker.io" => Ok(Self(DEFAULT_REGISTRY.to_owned())),
            text if text.len() <= MAX_NAME && is_host(text) => Ok(Self(text.to_owned())),
            _ => Err(InvalidRegistryName),
        }
    }
}

impl TryFrom<String> for RegistryName {
    type Error = InvalidRegistryName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RegistryName> for String {
    fn from(name: RegistryName) -> Self {
        name.0
    }
}

impl fmt::Display for RegistryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RegistryLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryLogin").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Registries {
    /// Looks whether it can be meant.
    ///
    /// # Errors
    ///
    /// What cannot.
    pub fn check(&self) -> Result<(), InvalidRegistries> {
        if self.0.len() > MAX_REGISTRIES {
            return Err(InvalidRegistries::Many);
        }
        let plain_mirrors = || {
            let mirrors = self.0.values().flat_map(|registry| &registry.mirrors);
            mirrors.filter(|mirror| mirror.plain_http).map(|mirror| &mirror.host)
        };
        for (name, registry) in &self.0 {
            if registry.mirrors.len() > MAX_MIRRORS {
                return Err(InvalidRegistries::Mirrors);
            }
            let Some(RegistryLogin { user, password }) = &registry.login else { continue };
            if !is_line(user, MAX_USER) || user.contains(':') {
                return Err(InvalidRegistries::User);
            }
            if !is_line(password, MAX_PASSWORD) {
                return Err(InvalidRegistries::Password);
            }
            if registry.plain_http || plain_mirrors().any(|plain| plain == name) {
                return Err(InvalidRegistries::PlainLogin(name.clone()));
            }
        }
        Ok(())
    }
}

fn is_line(text: &str, limit: usize) -> bool {
    (1..=limit).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Whether this is a host name, an IPv4 address or an IPv6 address in brackets, with a port perhaps.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let Some((address, rest)) = rest.split_once(']') else { return false };
            if address.parse::<Ipv6Addr>().is_err() {
                return false;
            }
            ("v6", rest.strip_prefix(':').or(if rest.is_empty() { Some("443") } else { None }).unwrap_or(""))
        }
        None => text.split_once(':').unwrap_or((text, "443")),
    };
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    digits && port.parse::<u16>().is_ok_and(|port| port > 0) && host.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, registry: Registry) -> Registries {
        Registries(BTreeMap::from([(name.parse().unwrap(), registry)]))
    }

    fn login(user: &str, password: &str) -> Registry {
        let login = RegistryLogin { user: user.to_owned(), password: password.to_owned().into() };
        Registry { login: Some(login), ..Registry::default() }
    }

    #[test]
    fn registries_are_called_like_hosts() {
        for name in ["ghcr.io", "nas.home:5000", "192.168.1.9:5000", "[fd00::9]:5000", "localhost"] {
            assert_eq!(name.parse::<RegistryName>().unwrap().as_str(), name);
        }
        assert_eq!("index.docker.io".parse::<RegistryName>().unwrap().as_str(), DEFAULT_REGISTRY);
        let long = "a.".repeat(128);
        for name in
            ["", "a/b", "https://a", "a:", "a:0", "a:65536", "a..b", "-a", "a b", "ü.de", "[::1", &long]
        {
            assert_eq!(name.parse::<RegistryName>(), Err(InvalidRegistryName), "{name}");
        }
    }

    #[test]
    fn a_password_goes_over_https_only_and_is_not_shown() {
        assert_eq!(one("ghcr.io", login("ada", "secret")).check(), Ok(()));
        assert!(!format!("{:?}", login("ada", "secret")).contains("secret"));
        let name: RegistryName = "nas.home:5000".parse().unwrap();
        let plain = one(name.as_str(), Registry { plain_http: true, ..login("ada", "secret") });
        assert_eq!(plain.check(), Err(InvalidRegistries::PlainLogin(name.clone())));
        // The same host, as somebody's mirror.
        let mut registries = one(name.as_str(), login("ada", "secret"));
        let mirrors = vec![RegistryMirror { host: name.clone(), plain_http: true }];
        registries.0.insert("docker.io".parse().unwrap(), Registry { mirrors, ..Registry::default() });
        assert_eq!(registries.check(), Err(InvalidRegistries::PlainLogin(name)));
    }

    #[test]
    fn what_is_said_has_bounds() {
        for (user, password, why) in [
            ("", "x", InvalidRegistries::User),
            ("a:b", "x", InvalidRegistries::User),
            ("a\n", "x", InvalidRegistries::User),
            ("a", "", InvalidRegistries::Password),
            ("a", "x\r\ny", InvalidRegistries::Password),
            ("a", &"x".repeat(MAX_PASSWORD + 1), InvalidRegistries::Password),
        ] {
            assert_eq!(one("ghcr.io", login(user, password)).check(), Err(why), "{user:?}");
        }
        let mirror = RegistryMirror { host: "a".parse().unwrap(), plain_http: false };
        let mirrored = |count| Registry { mirrors: vec![mirror.clone(); count], ..Registry::default() };
        assert_eq!(one("a", mirrored(MAX_MIRRORS)).check(), Ok(()));
        assert_eq!(one("a", mirrored(MAX_MIRRORS + 1)).check(), Err(InvalidRegistries::Mirrors));
        let entry = |number: usize| (format!("r{number}").parse().unwrap(), Registry::default());
        assert_eq!(Registries((0..MAX_REGISTRIES).map(entry).collect()).check(), Ok(()));
        assert_eq!(
            Registries((0..=MAX_REGISTRIES).map(entry).collect()).check(),
            Err(InvalidRegistries::Many)
        );
    }

    #[test]
    fn unknown_members_are_refused() {
        let read = serde_json::from_str::<Registries>;
        read(r#"{"ghcr.io": {"plain_http": false, "login": {"user": "a", "password": "b"}}}"#).unwrap();
        read(r#"{"ghcr.io": {"insecure": true}}"#).unwrap_err();
        read(r#"{"a/b": {}}"#).unwrap_err();
    }
}
