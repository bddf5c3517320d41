//! The two ends of the question "may A reach B?".

use super::app_policy::InvalidPort;
use super::app_policy::Port;
use super::names::AppKey;
use super::names::Domain;
use super::names::InvalidDomain;
use super::names::InvalidKey;
use serde::Deserialize;
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// An end, written `app:notes`, `box`, `lan`, `internet`, `internet:example.com` or `mesh`; as the second end also with a port
/// behind it: `app:db tcp/5432`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Endpoint {
    /// Who.
    pub who: Who,
    /// Which port; none means any.
    pub port: Option<Port>,
}

/// Who sends or receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// An installed app.
    App(AppKey),
    /// The box itself.
    Box,
    /// Devices in the home network.
    Lan,
    /// Hosts of the Internet; of this name when there is one.
    Internet(Option<Domain>),
    /// The owner's other boxes.
    Mesh,
}

/// Why a text is no end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEndpoint {
    /// Unknown word.
    #[error("{0:?} is none of app:<key>, box, lan, internet, internet:<domain>, mesh")]
    Unknown(String),
    /// The key of an app.
    #[error(transparent)]
    App(#[from] InvalidKey),
    /// A domain.
    #[error(transparent)]
    Domain(#[from] InvalidDomain),
    /// A port.
    #[error(transparent)]
    Port(#[from] InvalidPort),
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (who, port) = match text.split_once(' ') {
            Some((who, port)) => (who, Some(port.parse()?)),
            None => (text, None),
        };
        let who = match who.split_once(':') {
            Some(("app", key)) => Who::App(key.parse()?),
            Some(("internet", domain)) => Who::Internet(Some(domain.parse()?)),
            None if who == "box" => Who::Box,
            None if who == "lan" => Who::Lan,
            None if who == "internet" => Who::Internet(None),
            None if who == "mesh" => Who::Mesh,
            Some(_) | None => return Err(InvalidEndpoint::Unknown(text.chars().take(100).collect())),
        };
        Ok(Self { who, port })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.who {
            Who::App(key) => write!(f, "app:{key}")?,
            Who::Box => f.write_str("box")?,
            Who::Lan => f.write_str("lan")?,
            Who::Internet(None) => f.write_str("internet")?,
            Who::Internet(Some(domain)) => write!(f, "internet:{domain}")?,
            Who::Mesh => f.write_str("mesh")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, " {port}"))
    }
}

impl TryFrom<String> for Endpoint {
    type Error = InvalidEndpoint;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> Self {
        endpoint.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_read_as_they_are_written() {
        for text in [
            "app:notes",
            "app:db tcp/5432",
            "box",
            "box udp/53",
            "lan",
            "internet",
            "internet:example.com",
            "mesh",
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
        for bad in
            ["", "app:", "app", "Box", "internet:com", "app:db tcp", "app:db  tcp/1", "lan:x", "box tcp/1 x"]
        {
            assert!(bad.parse::<Endpoint>().is_err(), "{bad}");
        }
    }
}
