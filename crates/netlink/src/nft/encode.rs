//! From the model to the kernel's expressions. What does not fit together is found here, before the kernel sees it.

pub(crate) mod expression;
pub(crate) mod rule;
pub(crate) mod set;

use crate::nft::kernel::NFT_REG_1;
use crate::nft::kernel::NFT_REG32_00;
use crate::nft::value::Kind;

/// A ruleset that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place} cannot be expressed")]
pub struct Invalid {
    /// Table, chain and rule, or set.
    pub place: String,
    /// What is wrong with it.
    #[source]
    pub problem: Problem,
}

/// What makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Two things of the same name.
    #[error("the name {0:?} is given twice")]
    Twice(String),
    /// A hook that the table's family does not have, or one without an interface.
    #[error("the table's family has no such hook, or it lacks interfaces")]
    Hook,
    /// A field of a protocol that the table never sees.
    #[error("`{0}` is not there in packets of this family")]
    Family(&'static str),
    /// A field of a protocol that the rule has excluded.
    #[error("`{0}` is not there in packets that the rule has let through")]
    Conflict(&'static str),
    /// Something with ports, before the rule has looked at the transport protocol.
    #[error("the rule has not looked at the transport protocol")]
    Transport,
    /// A set that the table does not have.
    #[error("the table has no set {0:?}")]
    NoSet(String),
    /// A set where a map is needed, or the other way round, or a map of something else.
    #[error("{0:?} does not map to what is needed here")]
    Data(String),
    /// A set that rules cannot add to.
    #[error("the set {0:?} is not dynamic")]
    NotDynamic(String),
    /// Two things that cannot be compared.
    #[error("{found:?} stands where {expected:?} is needed")]
    Kind {
        /// What is needed.
        expected: Vec<Kind>,
        /// What is there.
        found: Vec<Kind>,
    },
    /// A kind that sets cannot have, or a key too long for the kernel's registers.
    #[error("{0:?} cannot be a key or data of a set")]
    Key(Vec<Kind>),
    /// A range the wrong way round, or of a kind that has no order.
    #[error("{0} is no range")]
    Range(String),
    /// A range in a set that has no intervals.
    #[error("{0} needs a set with intervals")]
    Interval(String),
    /// A timeout in a set without, or one below a millisecond.
    #[error("the set has no timeouts, or it is shorter than a millisecond")]
    Timeout,
    /// A count in a set whose elements do not count.
    #[error("the elements of the set {0:?} do not count")]
    NoCounts(String),
    /// Nothing to compare with.
    #[error("it is compared with nothing")]
    Nothing,
    /// The start of an interface name that is no such start.
    #[error("{0:?} does not start an interface name")]
    NameStart(String),
    /// More than netlink carries.
    #[error("it does not fit a netlink message")]
    TooLong,
}

/// The number of the register that starts so many bytes behind the start of the first (multiples of four).
pub(crate) fn register(offset: usize) -> u32 {
    // At most 64 bytes: checked where keys are.
    let words = u32::try_from(offset / 4).unwrap_or(u32::MAX);
    if words.is_multiple_of(4) { NFT_REG_1 + words / 4 } else { NFT_REG32_00 + words }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_are_named_as_by_nft() {
        assert_eq!([0, 4, 16, 20, 48].map(register), [1, 9, 2, 13, 4]);
    }
}
