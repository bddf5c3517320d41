//! What a program is made for.

use serde::Deserialize;
use serde::Serialize;
use std::fmt;

/// An operating system and a processor, by the names of Go, which images use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// `linux`.
    pub os: String,
    /// `amd64`, `arm64`, …
    pub architecture: String,
    /// A generation of the architecture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// The one of this board.
    #[must_use]
    pub fn of_this_board() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        Self::linux(architecture)
    }

    /// Linux on this architecture.
    #[must_use]
    pub fn linux(architecture: &str) -> Self {
        Self { os: "linux".to_owned(), architecture: architecture.to_owned(), variant: None }
    }

    /// Whether this board runs what is made for the other platform: the first generation of its architecture at most.
    #[must_use]
    pub fn runs(&self, other: &Self) -> bool {
        let oldest = match self.architecture.as_str() {
            "amd64" => "v1",
            "arm64" => "v8",
            _ => "",
        };
        let variant = other.variant.as_deref().unwrap_or_default();
        self.os == other.os
            && self.architecture == other.architecture
            && (variant.is_empty() || variant == oldest)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_board_can_run_is_taken() {
        let board = Platform::linux("arm64");
        let with = |architecture: &str, variant: Option<&str>| Platform {
            variant: variant.map(str::to_owned),
            ..Platform::linux(architecture)
        };
        assert!(board.runs(&with("arm64", None)));
        assert!(board.runs(&with("arm64", Some("v8"))));
        assert!(!board.runs(&with("arm64", Some("v9"))));
        assert!(!board.runs(&with("amd64", None)));
        assert!(!board.runs(&Platform { os: "windows".to_owned(), ..Platform::linux("arm64") }));
    }
}
