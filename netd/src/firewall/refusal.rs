//! The rules that stop what nothing allows, each with a counter of its own, so that a refusal always has a reason.

use model::network::endpoint::Who;

/// Why a packet is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// An app sent with an address that is not its own.
    Forged,
    /// An app sent a fragment, IP options or IPv6 extension headers, which hide ports from a filter, or another transport than
    /// TCP, UDP and ICMP.
    Disguised,
    /// An app sent to everybody on its link, or to a link-local address.
    Multicast,
    /// An app asked or announced hardware addresses; its link has fixed ones.
    Neighbours,
    /// Somebody outside used an address that only apps of this box have.
    FromOutside,
    /// A packet that belongs to no connection.
    Invalid,
    /// A connection whose permission was taken away.
    Revoked,
    /// Between apps, or from an app to anywhere.
    AppOut,
    /// To an app from outside or from the box.
    AppIn,
    /// To the box from an app.
    BoxFromApp,
    /// To the box from outside.
    BoxClosed,
    /// Through the box, between links that are not an app's.
    Transit,
    /// A question for a name in plaintext.
    PlaintextNames,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Forged,
        Self::Disguised,
        Self::Multicast,
        Self::Neighbours,
        Self::FromOutside,
        Self::Invalid,
        Self::Revoked,
        Self::AppOut,
        Self::AppIn,
        Self::BoxFromApp,
        Self::BoxClosed,
        Self::Transit,
        Self::PlaintextNames,
    ];

    /// Its name: comment of its rules in the kernel.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forged => "refused: forged",
            Self::Disguised => "refused: disguised",
            Self::Multicast => "refused: multicast",
            Self::Neighbours => "refused: neighbours",
            Self::FromOutside => "refused: from outside",
            Self::Invalid => "refused: invalid",
            Self::Revoked => "refused: revoked",
            Self::AppOut => "refused: app out",
            Self::AppIn => "refused: app in",
            Self::BoxFromApp => "refused: box from app",
            Self::BoxClosed => "refused: box closed",
            Self::Transit => "refused: transit",
            Self::PlaintextNames => "refused: plaintext names",
        }
    }

    /// The rule in plain words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Forged => "apps may only use their own addresses",
            Self::Disguised => {
                "apps send whole packets of TCP, UDP or ICMP, without header extensions that hide what is in them"
            }
            Self::Multicast => "apps may not send to everybody on a link",
            Self::Neighbours => "apps may not claim hardware addresses",
            Self::FromOutside => "addresses of apps are not valid outside of the box",
            Self::Invalid => "packets that belong to no connection are dropped",
            Self::Revoked => "connections whose permission was taken away are cut",
            Self::AppOut => "apps reach nothing but what was granted",
            Self::AppIn => "apps are reached by nothing but what was granted",
            Self::BoxFromApp => "apps may not use services of the box that were not granted",
            Self::BoxClosed => "the box answers only what it serves, and only the home network",
            Self::Transit => "the box passes nothing on between networks",
            Self::PlaintextNames => "names are asked for over encrypted connections only",
        }
    }

    /// The rule that stops what nothing allows between two ends.
    #[must_use]
    pub const fn between(from: &Who, to: &Who) -> Self {
        match (from, to) {
            (Who::App(_), Who::Box) => Self::BoxFromApp,
            (Who::App(_), _) => Self::AppOut,
            (_, Who::App(_)) => Self::AppIn,
            (Who::Box, _) => Self::PlaintextNames,
            (_, Who::Box) => Self::BoxClosed,
            (Who::Lan | Who::Internet(_) | Who::Mesh, Who::Lan | Who::Internet(_) | Who::Mesh) => {
                Self::Transit
            }
        }
    }
}
