//! What the program may be asked to do, as words of a command line.

use model::update::UpdateOrder;
use model::update::UpdateOrigin;
use serde::Deserialize;
use serde::Serialize;
use slots::Order;
use slots::Version;
use slots::Words;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum Verb {
    /// Tidy up after the last boots; once in each boot, when the data is there.
    Booted,
    /// Write an update and arm it.
    Install {
        /// Its version.
        version: Version,
        /// Who wants it.
        order: UpdateOrder,
        /// Where it came from.
        origin: UpdateOrigin,
    },
    /// Prepare a restart, into the update if one is armed.
    Restart,
    /// The system on trial is healthy.
    Confirmed,
    /// The system on trial is not healthy.
    Failed {
        /// Which check failed.
        why: Words,
    },
    /// Replace the loader by a newer one that this system carries.
    Loader,
    /// Only look, and tell.
    Look,
}

impl Verb {
    /// Its word.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Booted => "booted",
            Self::Install { .. } => "install",
            Self::Restart => "restart",
            Self::Confirmed => "confirmed",
            Self::Failed { .. } => "failed",
            Self::Loader => "loader",
            Self::Look => "look",
        }
    }

    /// The version that it names.
    #[must_use]
    pub const fn version(&self) -> Option<&Version> {
        match self {
            Self::Install { version, .. } => Some(version),
            Self::Booted
            | Self::Restart
            | Self::Confirmed
            | Self::Failed { .. }
            | Self::Loader
            | Self::Look => None,
        }
    }

    /// Reads the words behind the program's name.
    #[must_use]
    pub fn parse(words: &[&str]) -> Option<Self> {
        match words {
            ["booted"] => Some(Self::Booted),
            ["install", version, "--order", order, "--from", origin] => Some(Self::Install {
                version: version.parse().ok()?,
                order: UpdateOrder::parse(order)?,
                origin: UpdateOrigin::parse(origin)?,
            }),
            ["restart"] => Some(Self::Restart),
            ["confirmed"] => Some(Self::Confirmed),
            ["failed", why] => Some(Self::Failed { why: Words::new(why) }),
            ["loader"] => Some(Self::Loader),
            ["look"] => Some(Self::Look),
            _ => None,
        }
    }
}

/// The same order in the words of the plan.
#[must_use]
pub const fn planned(order: UpdateOrder) -> Order {
    match order {
        UpdateOrder::Automatic => Order::Automatic,
        UpdateOrder::Asked => Order::Asked,
        UpdateOrder::AskedLower => Order::AskedLower,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_verbs_or_refused() {
        let install = Verb::Install {
            version: "1.2".parse().unwrap(),
            order: UpdateOrder::AskedLower,
            origin: UpdateOrigin::Bundle,
        };
        let words = ["install", "1.2", "--order", "asked-lower", "--from", "bundle"];
        assert_eq!(Verb::parse(&words), Some(install));
        assert_eq!(Verb::parse(&["failed", "a\nb"]), Some(Verb::Failed { why: Words::new("a b") }));
        for word in ["booted", "restart", "confirmed", "loader", "look"] {
            assert_eq!(Verb::parse(&[word]).unwrap().name(), word);
        }
        for bad in [
            &[][..],
            &["install"],
            &["install", "../1", "--order", "asked", "--from", "network"],
            &["install", "1", "--order", "later", "--from", "network"],
            &["install", "1", "--order", "asked", "--from", "/tmp"],
            &["failed"],
            &["booted", "now"],
        ] {
            assert_eq!(Verb::parse(bad), None, "{bad:?}");
        }
    }
}
