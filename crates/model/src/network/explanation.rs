//! The answer to "may A reach B, and by which rule?".

use super::endpoint::Endpoint;
use serde::Deserialize;
use serde::Serialize;

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Who asks.
    pub from: Endpoint,
    /// Whom they want to reach.
    pub to: Endpoint,
    /// Whether anything of it is possible.
    pub answer: Answer,
    /// In one plain sentence.
    pub words: String,
    /// Rules that let it through; all of them when no port was asked for.
    pub rules: Vec<Rule>,
    /// The rule that stops everything else.
    pub otherwise: Rule,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Everything asked for.
    Yes,
    /// Some of it: these ports, these names.
    Partly,
    /// Nothing of it.
    No,
}

/// A rule of the firewall in plain words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its name, which never changes.
    pub name: String,
    /// What it does, `notes may reach db at tcp/5432`.
    pub words: String,
    /// Whether it lets packets through.
    pub allows: bool,
    /// Since the box started: packets of the connections it allowed, both ways, or packets it refused.
    pub packets: u64,
    /// Bytes of these packets.
    pub bytes: u64,
}
