//! nftables: a model of rulesets ([`Ruleset`]), its text ([`std::fmt::Display`]), and its way into the kernel ([`Firewall`]).
//!
//! What a rule looks at are the constants of [`field`]; they know the type of their values, and the encoder adds what a packet must be
//! for the field to be there.
//!
//! ```
//! use netlink::nft::*;
//! use netlink::nft::field::*;
//!
//! # fn main() -> Result<(), InvalidName> {
//! let web = Rule::new()
//!     .when(IP_SADDR.is_in_network([192, 168, 1, 0].into(), 24))
//!     .when(TCP_DPORT.is_one_of([80, 443]))
//!     .count()
//!     .then(Verdict::Accept)
//!     .comment(Comment::new("web: home network")?);
//! let base = Base { kind: ChainKind::Filter, hook: Hook::Input, priority: 0, policy: Policy::Drop };
//! let mut table = Table::new(Family::Inet, Name::new("hearth")?);
//! table.chains.push(Chain::base(Name::new("input")?, base, [web]));
//! let ruleset = Ruleset { tables: vec![table] };
//! assert_eq!(ruleset.to_string(), "\
//! table inet hearth {
//! \tchain input {
//! \t\ttype filter hook input priority 0; policy drop;
//! \t\tip saddr 192.168.1.0/24 tcp dport { 80, 443 } counter packets 0 bytes 0 accept comment \"web: home network\"
//! \t}
//! }
//! ");
//! # Ok(())
//! # }
//! ```

mod batch;
mod decode;
mod encode;
pub mod field;
mod firewall;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod kernel;
mod name;
mod render;
mod rule;
mod ruleset;
mod set;
mod span;
mod value;

pub use batch::Batch;
pub use decode::LiveElement;
pub use encode::Invalid;
pub use encode::Problem;
pub use firewall::ApplyError;
pub use firewall::Firewall;
pub use name::Comment;
pub use name::InterfaceName;
pub use name::InvalidName;
pub use name::LogPrefix;
pub use name::Name;
pub use rule::Header;
pub use rule::Limit;
pub use rule::MarkSource;
pub use rule::Match;
pub use rule::Nat;
pub use rule::NatEnd;
pub use rule::NatTarget;
pub use rule::Per;
pub use rule::Reject;
pub use rule::Remember;
pub use rule::Rule;
pub use rule::Statement;
pub use rule::Verdict;
pub use ruleset::Base;
pub use ruleset::Chain;
pub use ruleset::ChainKind;
pub use ruleset::Counter;
pub use ruleset::Family;
pub use ruleset::Hook;
pub use ruleset::Policy;
pub use ruleset::Ruleset;
pub use ruleset::Table;
pub use set::Count;
pub use set::Element;
pub use set::ElementData;
pub use set::Set;
pub use set::SetData;
pub use set::Timeout;
pub use span::Address;
pub use span::Ordered;
pub use span::Span;
pub use value::AddressType;
pub use value::ArpOperation;
pub use value::CtState;
pub use value::CtStatus;
pub use value::Direction;
pub use value::EtherAddr;
pub use value::IcmpType;
pub use value::Icmpv6Type;
pub use value::Kind;
pub use value::LinkType;
pub use value::Mark;
pub use value::NfFamily;
pub use value::Number8;
pub use value::Number16;
pub use value::PacketType;
pub use value::Protocol;
pub use value::Uid;
pub use value::Value;
