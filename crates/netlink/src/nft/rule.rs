//! Rules: what a packet must be, what is noted, and what becomes of it.

use crate::nft::field::Field;
use crate::nft::name::Comment;
use crate::nft::name::LogPrefix;
use crate::nft::name::Name;
use crate::nft::span;
use crate::nft::span::Joined;
use crate::nft::span::Span;
use crate::nft::value::Mark;
use crate::nft::value::Value;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::time::Duration;

/// A line of a chain: its statements are run from first to last, until one does not match or decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// What is run.
    pub statements: Vec<Statement>,
    /// What stands beside it, shown by nft(8) and by refusals.
    pub comment: Option<Comment>,
}

impl Rule {
    /// A rule that does nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a statement.
    #[must_use]
    pub fn then(mut self, statement: impl Into<Statement>) -> Self {
        self.statements.push(statement.into());
        self
    }

    /// Goes on only if the packet matches.
    #[must_use]
    pub fn when(self, test: Match) -> Self {
        self.then(test)
    }

    /// Counts packets, from zero.
    #[must_use]
    pub fn count(self) -> Self {
        self.then(Statement::Counter { packets: 0, bytes: 0 })
    }

    /// Says what it is for.
    #[must_use]
    pub fn comment(mut self, comment: Comment) -> Self {
        self.comment = Some(comment);
        self
    }
}

/// One step of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// Goes on only if the packet matches.
    Match(Match),
    /// Counts, from these totals on.
    Counter {
        /// Packets so far.
        packets: u64,
        /// Bytes of them.
        bytes: u64,
    },
    /// Goes on only while the rate is kept.
    Limit(Limit),
    /// Notes the packet: in the kernel's log, or for the readers of an nfnetlink_log group.
    Log {
        /// What the line starts with.
        prefix: Option<LogPrefix>,
        /// The group; none is the kernel's log.
        group: Option<u16>,
    },
    /// Marks the packet.
    SetMark(MarkSource),
    /// Marks the flow.
    SetCtMark(MarkSource),
    /// The packet is not followed by connection tracking; before that looks at it (`prerouting` or `output`, priority below -200).
    NoTrack,
    /// Puts what the packet has into a set that has the flag `dynamic`.
    Remember(Remember),
    /// Decides.
    Verdict(Verdict),
    /// Decides as a named verdict map says; goes on when it says nothing.
    VerdictMap {
        /// What is looked up.
        key: Vec<Field>,
        /// The map.
        map: Name,
    },
    /// Drops the packet and tells the sender.
    Reject(Reject),
    /// Rewrites where the flow goes or comes from.
    Nat(Nat),
    /// Rewrites the source to the address of the interface that the packet leaves by.
    Masquerade,
    /// Rewrites the destination to this machine.
    Redirect {
        /// To this port; none keeps the one it has.
        port: Option<u16>,
    },
}

/// What a packet must be. Made by the fields: `TCP_DPORT.is(443)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match(pub(crate) Test);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    Compare {
        field: Field,
        negated: bool,
        span: Span,
    },
    NameStart {
        field: Field,
        prefix: String,
    },
    /// Without a value: compared with zero.
    Bits {
        field: Field,
        mask: Value,
        negated: bool,
        value: Option<Value>,
    },
    Lookup {
        fields: Vec<Field>,
        negated: bool,
        set: SetRef,
    },
    Header {
        header: Header,
        is_there: bool,
    },
    ReversePath {
        is_there: bool,
    },
}

impl Match {
    /// The packet has this header or option.
    #[must_use]
    pub fn has(header: Header) -> Self {
        Self(Test::Header { header, is_there: true })
    }

    /// The packet does not have this header or option.
    #[must_use]
    pub fn lacks(header: Header) -> Self {
        Self(Test::Header { header, is_there: false })
    }

    /// The way back to the source leads through the interface that the packet came in by (RFC 3704, strict).
    #[must_use]
    pub fn reverse_path_is_there() -> Self {
        Self(Test::ReversePath { is_there: true })
    }

    /// The way back to the source leads elsewhere or nowhere.
    #[must_use]
    pub fn reverse_path_is_missing() -> Self {
        Self(Test::ReversePath { is_there: false })
    }
}

impl From<Match> for Statement {
    fn from(test: Match) -> Self {
        Self::Match(test)
    }
}

/// A set to look something up in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SetRef {
    Named(Name),
    /// Keys, each with one span a field.
    Anonymous(Vec<Vec<Span>>),
}

impl SetRef {
    /// Spans of one kind are joined, as nft(8) does in sets without a name.
    pub(crate) fn anonymous_spans(spans: impl IntoIterator<Item = Span>) -> Self {
        let mut spans: Vec<Span> = spans.into_iter().collect();
        let has_range = spans.iter().any(|span| span.single().is_none());
        if has_range && spans.windows(2).all(|pair| pair[0].kind() == pair[1].kind()) {
            spans = span::merge(spans, Joined::Touching);
        } else {
            let mut seen = std::collections::HashSet::new();
            spans.retain(|span| seen.insert(span.clone()));
        }
        Self::Anonymous(spans.into_iter().map(|span| vec![span]).collect())
    }
}

/// IPv6 extension headers and IPv4 options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// IPv6 fragment header.
    Fragment,
    /// IPv6 hop-by-hop options.
    HopByHop,
    /// IPv6 destination options.
    Destination,
    /// IPv6 routing header.
    Routing,
    /// IPv4 option: loose source route.
    LooseSourceRoute,
    /// IPv4 option: strict source route.
    StrictSourceRoute,
    /// IPv4 option: record route.
    RecordRoute,
    /// IPv4 option: router alert.
    RouterAlert,
}

/// A rate of packets (`nft limit`, a token bucket).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Packets each `per`.
    pub rate: u64,
    /// The time that the rate is for.
    pub per: Per,
    /// Packets above the rate that may come at once; nft(8)'s own default is 5.
    pub burst: u32,
    /// Matches what is above the rate instead of what is below.
    pub over: bool,
}

/// A time that a rate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// A second.
    Second,
    /// 60 seconds.
    Minute,
    /// 3,600 seconds.
    Hour,
    /// 86,400 seconds.
    Day,
}

impl From<Limit> for Statement {
    fn from(limit: Limit) -> Self {
        Self::Limit(limit)
    }
}

/// Where a new mark comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarkSource {
    /// This one.
    Value(Mark),
    /// The mark it has, with the bits of `mask` replaced by those of `value`.
    Replace {
        /// The bits that change.
        mask: Mark,
        /// What they become; other bits are ignored.
        value: Mark,
    },
    /// The flow's mark for a packet, the packet's for a flow.
    Other,
    /// What a named map says; the mark stays and the rule ends when it says nothing.
    Map {
        /// What is looked up.
        key: Vec<Field>,
        /// The map.
        map: Name,
    },
}

/// Puts what a packet has into a set, or renews its timeout there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remember {
    /// The set.
    pub set: Name,
    /// What is put in.
    pub key: Vec<Field>,
    /// For how long; none is what the set says.
    pub timeout: Option<Duration>,
    /// A rate for each element by itself; the rule goes on only where it is kept.
    pub limit: Option<Limit>,
}

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It goes on to the next base chain.
    Accept,
    /// It is gone.
    Drop,
    /// Back to the chain that jumped here, or to the policy.
    Return,
    /// To this chain, and back after it.
    Jump(Name),
    /// To this chain, and back to where the present one would have gone.
    Goto(Name),
}

impl From<Verdict> for Statement {
    fn from(verdict: Verdict) -> Self {
        Self::Verdict(verdict)
    }
}

/// What the sender is told: ICMP, ICMPv6 or TCP, as fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// Nobody listens at this port.
    PortUnreachable,
    /// It is not allowed.
    AdminProhibited,
    /// There is no such machine.
    HostUnreachable,
    /// There is no way there.
    NoRoute,
    /// A TCP reset; the rule then matches TCP only.
    TcpReset,
}

impl From<Reject> for Statement {
    fn from(reject: Reject) -> Self {
        Self::Reject(reject)
    }
}

/// A rewriting of addresses. With a port, the rule must have looked at the transport protocol before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nat {
    /// Which end of the flow.
    pub end: NatEnd,
    /// What it becomes.
    pub target: NatTarget,
}

/// Which end of a flow is rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NatEnd {
    /// Where it comes from (`postrouting`, `input`).
    Source,
    /// Where it goes (`prerouting`, `output`).
    Destination,
}

/// What an end of a flow becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NatTarget {
    /// An IPv4 address; none keeps the port.
    Ipv4(Ipv4Addr, Option<u16>),
    /// An IPv6 address; none keeps the port.
    Ipv6(Ipv6Addr, Option<u16>),
    /// What a named map of the table says; nothing is rewritten and the rule ends when it says nothing.
    Map {
        /// What is looked up.
        key: Vec<Field>,
        /// The map; its data is an address, or an address and a port.
        map: Name,
    },
}

impl From<Nat> for Statement {
    fn from(nat: Nat) -> Self {
        Self::Nat(nat)
    }
}
