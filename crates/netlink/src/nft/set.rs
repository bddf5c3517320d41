//! Named sets and maps.

use crate::nft::name::Name;
use crate::nft::rule::Verdict;
use crate::nft::span;
use crate::nft::span::Joined;
use crate::nft::span::Span;
use crate::nft::value::Kind;
use crate::nft::value::Value;
use std::borrow::Cow;
use std::time::Duration;

/// A named set, or a map when it has data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// Unique in its table, among sets and maps.
    pub name: Name,
    /// Kinds of the key's fields; more than one is a concatenation.
    pub key: Vec<Kind>,
    /// What a map maps to.
    pub data: SetData,
    /// Whether keys may be ranges and networks.
    pub interval: bool,
    /// Whether rules may add elements ([`crate::nft::Statement::Remember`]).
    pub dynamic: bool,
    /// Whether elements may end by themselves, and when they do if they do not say.
    pub timeout: Timeout,
    /// Whether each element counts the packets that it was found for.
    pub counts: bool,
    /// How many elements it may have; for a dynamic set what keeps it from growing for ever.
    pub size: Option<u32>,
    /// What is in it from the start.
    pub elements: Vec<Element>,
}

/// What a map maps to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetData {
    /// Nothing: it is a set.
    None,
    /// A verdict.
    Verdict,
    /// Values of these kinds.
    Values(Vec<Kind>),
}

/// Whether elements of a set end by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// They do not.
    Never,
    /// Those that say when.
    PerElement,
    /// All, after this time if they do not say.
    Default(Duration),
}

/// What is in a set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Element {
    /// One span a field.
    pub key: Vec<Span>,
    /// What the key maps to.
    pub data: ElementData,
    /// After which time it ends.
    pub timeout: Option<Duration>,
    /// What it has counted from the start, in a set that counts; none is nothing yet.
    pub count: Option<Count>,
}

/// Packets, and the bytes of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Count {
    /// Packets.
    pub packets: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// What a key maps to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ElementData {
    /// Nothing: it is in a set.
    None,
    /// A verdict.
    Verdict(Verdict),
    /// Values, one for each kind of the map's data.
    Values(Vec<Value>),
}

impl Element {
    /// An element whose key has one field.
    pub fn new(key: impl Into<Span>) -> Self {
        Self::concatenated([key.into()])
    }

    /// An element whose key has several fields.
    pub fn concatenated(key: impl IntoIterator<Item = Span>) -> Self {
        Self { key: key.into_iter().collect(), data: ElementData::None, timeout: None, count: None }
    }

    /// Maps the key to a verdict.
    #[must_use]
    pub fn verdict(mut self, verdict: Verdict) -> Self {
        self.data = ElementData::Verdict(verdict);
        self
    }

    /// Maps the key to values.
    #[must_use]
    pub fn values(mut self, values: impl IntoIterator<Item = Value>) -> Self {
        self.data = ElementData::Values(values.into_iter().collect());
        self
    }

    /// Ends it after this time, counted in milliseconds.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Lets it count on from here, in a set that counts.
    #[must_use]
    pub fn count(mut self, count: Count) -> Self {
        self.count = Some(count);
        self
    }
}

impl Set {
    /// An empty set of single values.
    pub fn new(name: Name, key: impl IntoIterator<Item = Kind>) -> Self {
        Self {
            name,
            key: key.into_iter().collect(),
            data: SetData::None,
            interval: false,
            dynamic: false,
            timeout: Timeout::Never,
            counts: false,
            size: None,
            elements: Vec::new(),
        }
    }

    /// An empty map to verdicts.
    pub fn verdict_map(name: Name, key: impl IntoIterator<Item = Kind>) -> Self {
        Self { data: SetData::Verdict, ..Self::new(name, key) }
    }

    /// An empty map to values.
    pub fn map(
        name: Name,
        key: impl IntoIterator<Item = Kind>,
        data: impl IntoIterator<Item = Kind>,
    ) -> Self {
        Self { data: SetData::Values(data.into_iter().collect()), ..Self::new(name, key) }
    }

    /// Lets keys be ranges and networks.
    #[must_use]
    pub fn interval(mut self) -> Self {
        self.interval = true;
        self
    }

    /// Lets rules add elements.
    #[must_use]
    pub fn dynamic(mut self) -> Self {
        self.dynamic = true;
        self
    }

    /// Lets elements end by themselves.
    #[must_use]
    pub fn timeout(mut self, timeout: Timeout) -> Self {
        self.timeout = timeout;
        self
    }

    /// Lets each element count the packets that it was found for.
    #[must_use]
    pub fn counting(mut self) -> Self {
        self.counts = true;
        self
    }

    /// Limits the number of elements.
    #[must_use]
    pub fn size(mut self, size: u32) -> Self {
        self.size = Some(size);
        self
    }

    /// What is in it from the start. Overlapping networks and ranges are joined where none has
    /// data, a timeout or a count; elsewhere they are refused, by the kernel.
    #[must_use]
    pub fn elements(mut self, elements: impl IntoIterator<Item = Element>) -> Self {
        self.elements = elements.into_iter().collect();
        self
    }

    /// Whether the key is a concatenation whose fields may be ranges: another data structure of the kernel (pipapo).
    pub(crate) fn is_concatenated_interval(&self) -> bool {
        self.interval && self.key.len() > 1
    }

    /// The elements as the kernel takes them: joined where they may be, sorted where it has to be, none twice.
    pub(crate) fn canonical<'a>(&self, elements: &'a [Element]) -> Cow<'a, [Element]> {
        if !self.interval || self.key.len() != 1 || elements.iter().any(|element| element.key.len() != 1) {
            return Cow::Borrowed(elements);
        }
        let is_plain = |element: &Element| {
            element.timeout.is_none() && element.count.is_none() && element.data == ElementData::None
        };
        if elements.iter().all(is_plain) {
            let spans = elements.iter().filter_map(|element| element.key.first().cloned()).collect();
            return Cow::Owned(
                span::merge(spans, Joined::Overlapping).into_iter().map(Element::new).collect(),
            );
        }
        let mut sorted = elements.to_vec();
        sorted.sort_by_cached_key(|element| element.key.first().map(Span::ordered_bytes));
        sorted.dedup();
        Cow::Owned(sorted)
    }
}
