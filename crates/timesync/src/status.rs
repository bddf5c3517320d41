//! How the time keeping is, for people.

use std::net::IpAddr;

use crate::time::Moment;
use crate::time::Span;

/// The clock and its servers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TimeStatus {
    /// Whether the clock was set or confirmed from the network within the last day.
    pub synchronised: bool,
    /// Whether that came from servers that proved who they are.
    pub authenticated: bool,
    /// When it was, by the program's own clock.
    pub last_sync: Option<Moment>,
    /// By how much the clock was behind then.
    pub offset: Span,
    /// By how much the clock is sped up against its crystal, in parts per million.
    pub frequency: f64,
    /// The servers, in the order they are set.
    pub sources: Vec<SourceStatus>,
    /// What is wrong, in plain words; none when all is well.
    pub reason: Option<String>,
}

/// One server.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceStatus {
    /// Its name, or its address as text.
    pub name: String,
    /// The address that answers under that name.
    pub address: Option<IpAddr>,
    /// Whether it proves who it is.
    pub authenticated: bool,
    /// How it is, in plain words.
    pub state: String,
    /// How far its clock is ahead of ours.
    pub offset: Option<Span>,
    /// Way there and back.
    pub delay: Option<Span>,
    /// Its distance from a reference clock, in servers.
    pub stratum: Option<u8>,
}
