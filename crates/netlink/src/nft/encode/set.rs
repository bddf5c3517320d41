//! Sets and elements.
//!
//! A set of ranges is a sorted list of starts and ends, each end one behind the last value (net/netfilter/nft_set_rbtree.c). A set of
//! concatenated ranges has elements with a first and a last key (net/netfilter/nft_set_pipapo.c).

use crate::attribute::Writer;
use crate::nft::encode::Problem;
use crate::nft::encode::expression;
use crate::nft::kernel::NFT_DATA_VERDICT;
use crate::nft::kernel::NFT_SET_ANONYMOUS;
use crate::nft::kernel::NFT_SET_CONCAT;
use crate::nft::kernel::NFT_SET_CONSTANT;
use crate::nft::kernel::NFT_SET_ELEM_INTERVAL_END;
use crate::nft::kernel::NFT_SET_EVAL;
use crate::nft::kernel::NFT_SET_EXPR;
use crate::nft::kernel::NFT_SET_INTERVAL;
use crate::nft::kernel::NFT_SET_MAP;
use crate::nft::kernel::NFT_SET_TIMEOUT;
use crate::nft::kernel::NFTA_LIST_ELEM;
use crate::nft::kernel::NFTA_SET_DATA_LEN;
use crate::nft::kernel::NFTA_SET_DATA_TYPE;
use crate::nft::kernel::NFTA_SET_DESC;
use crate::nft::kernel::NFTA_SET_DESC_CONCAT;
use crate::nft::kernel::NFTA_SET_DESC_SIZE;
use crate::nft::kernel::NFTA_SET_ELEM_DATA;
use crate::nft::kernel::NFTA_SET_ELEM_EXPR;
use crate::nft::kernel::NFTA_SET_ELEM_FLAGS;
use crate::nft::kernel::NFTA_SET_ELEM_KEY;
use crate::nft::kernel::NFTA_SET_ELEM_KEY_END;
use crate::nft::kernel::NFTA_SET_ELEM_TIMEOUT;
use crate::nft::kernel::NFTA_SET_EXPR;
use crate::nft::kernel::NFTA_SET_FIELD_LEN;
use crate::nft::kernel::NFTA_SET_FLAGS;
use crate::nft::kernel::NFTA_SET_ID;
use crate::nft::kernel::NFTA_SET_KEY_LEN;
use crate::nft::kernel::NFTA_SET_KEY_TYPE;
use crate::nft::kernel::NFTA_SET_TIMEOUT;
use crate::nft::kernel::NFTA_SET_USERDATA;
use crate::nft::kernel::NFTNL_UDATA_SET_DATABYTEORDER;
use crate::nft::kernel::NFTNL_UDATA_SET_KEYBYTEORDER;
use crate::nft::kernel::REGISTER_BYTES;
use crate::nft::set::Count;
use crate::nft::set::Element;
use crate::nft::set::ElementData;
use crate::nft::set::Set;
use crate::nft::set::SetData;
use crate::nft::set::Timeout;
use crate::nft::span::Span;
use crate::nft::span::successor;
use crate::nft::value::ByteOrder;
use crate::nft::value::Kind;
use crate::nft::value::Value;
use std::time::Duration;

/// Bits of a type number within the number of a concatenation (nft(8), `TYPE_BITS`).
const TYPE_BITS: u32 = 6;
/// Elements of a message, in bytes: the list is an attribute and so has 16 bits for its length.
pub(crate) const LIST_BYTES: usize = 60_000;

/// Whether a named set can have this key or data.
pub(crate) fn check_kinds(kinds: &[Kind]) -> Result<(), Problem> {
    let fits = kinds.iter().map(|kind| kind.padded_width()).sum::<usize>() <= REGISTER_BYTES;
    if kinds.is_empty() || !fits || kinds.iter().any(|kind| kind.facts().keyword.is_none()) {
        return Err(Problem::Key(kinds.to_vec()));
    }
    Ok(())
}

/// Whether the elements are of the set.
pub(crate) fn check_elements(set: &Set, elements: &[Element]) -> Result<(), Problem> {
    elements.iter().try_for_each(|element| {
        check_key(&set.key, &element.key, set.interval)?;
        match element.timeout {
            Some(_) if set.timeout == Timeout::Never => return Err(Problem::Timeout),
            Some(timeout) => {
                milliseconds(timeout)?;
            }
            None => (),
        }
        if element.count.is_some() && !set.counts {
            return Err(Problem::NoCounts(set.name.to_string()));
        }
        match (&set.data, &element.data) {
            (SetData::None, ElementData::None) | (SetData::Verdict, ElementData::Verdict(_)) => Ok(()),
            (SetData::Values(kinds), ElementData::Values(values)) => {
                let found: Vec<Kind> = values.iter().map(Value::kind).collect();
                if found == *kinds { Ok(()) } else { Err(Problem::Kind { expected: kinds.clone(), found }) }
            }
            _ => Err(Problem::Data(set.name.to_string())),
        }
    })
}

/// Whether a key is of these kinds, and its ranges are ranges.
pub(crate) fn check_key(kinds: &[Kind], key: &[Span], interval: bool) -> Result<(), Problem> {
    let found: Vec<Kind> = key.iter().map(Span::kind).collect();
    if found != kinds {
        return Err(Problem::Kind { expected: kinds.to_vec(), found });
    }
    key.iter().try_for_each(|span| {
        let (first, last) = span.ordered_bytes();
        if span.single().is_some() {
            return Ok(());
        }
        // In a concatenation the kernel compares bytes as they stand, so that numbers in host byte order have no ranges.
        let has_order = if kinds.len() == 1 {
            Span::is_range_of(span.kind())
        } else {
            span.kind().facts().order == ByteOrder::Network
        };
        if span.first.kind() != span.last.kind() || first > last || !has_order {
            return Err(Problem::Range(span.to_string()));
        }
        if interval { Ok(()) } else { Err(Problem::Interval(span.to_string())) }
    })
}

/// Timeouts as the kernel counts them; zero would mean "never".
pub(crate) fn milliseconds(timeout: Duration) -> Result<u64, Problem> {
    match u64::try_from(timeout.as_millis()) {
        Ok(0) | Err(_) => Err(Problem::Timeout),
        Ok(milliseconds) => Ok(milliseconds),
    }
}

/// The body of `NFT_MSG_NEWSET`, behind table and name.
pub(crate) fn definition(writer: &mut Writer, set: &Set, id: u32, is_anonymous: bool) -> Result<(), Problem> {
    let mut flags = if is_anonymous { NFT_SET_ANONYMOUS | NFT_SET_CONSTANT } else { 0 };
    let optional = [
        (set.interval, NFT_SET_INTERVAL),
        (set.data != SetData::None, NFT_SET_MAP),
        (set.timeout != Timeout::Never, NFT_SET_TIMEOUT),
        (set.dynamic, NFT_SET_EVAL),
        (set.counts, NFT_SET_EXPR),
        (set.is_concatenated_interval(), NFT_SET_CONCAT),
    ];
    for (_, flag) in optional.into_iter().filter(|(is_set, _)| *is_set) {
        flags |= flag;
    }
    writer.u32(NFTA_SET_FLAGS, flags);
    writer.u32(NFTA_SET_KEY_TYPE, type_number(&set.key));
    writer.u32(NFTA_SET_KEY_LEN, length(&set.key));
    match &set.data {
        SetData::None => (),
        SetData::Verdict => writer.u32(NFTA_SET_DATA_TYPE, NFT_DATA_VERDICT),
        SetData::Values(kinds) => {
            writer.u32(NFTA_SET_DATA_TYPE, type_number(kinds));
            writer.u32(NFTA_SET_DATA_LEN, length(kinds));
        }
    }
    writer.u32(NFTA_SET_ID, id);
    if let Timeout::Default(timeout) = set.timeout {
        writer.u64(NFTA_SET_TIMEOUT, milliseconds(timeout)?);
    }
    if set.size.is_some() || set.is_concatenated_interval() {
        writer.nest(NFTA_SET_DESC, |desc| description(desc, set));
    }
    writer.bytes(NFTA_SET_USERDATA, &user_data(set));
    if set.counts {
        expression::element_counter(writer, NFTA_SET_EXPR, Count::default());
    }
    Ok(())
}

fn description(writer: &mut Writer, set: &Set) {
    if let Some(size) = set.size {
        writer.u32(NFTA_SET_DESC_SIZE, size);
    }
    if set.is_concatenated_interval() {
        writer.nest(NFTA_SET_DESC_CONCAT, |list| {
            for kind in &set.key {
                let width = u32::try_from(kind.facts().width).unwrap_or(u32::MAX);
                list.nest(NFTA_LIST_ELEM, |field| field.u32(NFTA_SET_FIELD_LEN, width));
            }
        });
    }
}

/// In which byte order nft(8) shall read keys and data: type, length, a number in host byte order.
fn user_data(set: &Set) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut put = |kind: u8, order: u32| {
        bytes.extend([kind, 4]);
        bytes.extend(order.to_ne_bytes());
    };
    put(NFTNL_UDATA_SET_KEYBYTEORDER, byte_order(&set.key, set.interval));
    if let SetData::Values(kinds) = &set.data {
        put(NFTNL_UDATA_SET_DATABYTEORDER, byte_order(kinds, false));
    }
    bytes
}

/// `enum byteorder` of nft(8): 0 for concatenations, 1 for host, 2 for network.
fn byte_order(kinds: &[Kind], interval: bool) -> u32 {
    match kinds {
        [kind] if kind.facts().order == ByteOrder::Host && !(interval && kind.is_turned_for_ranges()) => 1,
        [_] => 2,
        _ => 0,
    }
}

fn type_number(kinds: &[Kind]) -> u32 {
    kinds.iter().fold(0, |number, kind| number << TYPE_BITS | kind.facts().number)
}

fn length(kinds: &[Kind]) -> u32 {
    let bytes = match kinds {
        [kind] => kind.facts().width,
        several => several.iter().map(|kind| kind.padded_width()).sum(),
    };
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// The bytes of values side by side; each fills whole words when there are several.
pub(crate) fn concatenate<'a>(values: impl ExactSizeIterator<Item = &'a Value>) -> Vec<u8> {
    let is_single = values.len() == 1;
    let mut bytes = Vec::new();
    for value in values {
        bytes.extend(value.bytes());
        if !is_single {
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
    }
    bytes
}

/// Elements as list items, in lists that each fit a message.
pub(crate) fn lists(set: &Set, elements: &[Element]) -> Result<Vec<Vec<u8>>, Problem> {
    check_elements(set, elements)?;
    write_all(set, &set.canonical(elements))
}

/// The keys of elements alone, as [`lists`].
pub(crate) fn keys(set: &Set, elements: &[Element]) -> Result<Vec<Vec<u8>>, Problem> {
    elements.iter().try_for_each(|element| check_key(&set.key, &element.key, set.interval))?;
    let keys: Vec<Element> = set
        .canonical(elements)
        .iter()
        .map(|element| Element::concatenated(element.key.iter().cloned()))
        .collect();
    write_all(set, &keys)
}

fn write_all(set: &Set, elements: &[Element]) -> Result<Vec<Vec<u8>>, Problem> {
    let mut lists = Vec::new();
    let mut list = Writer::default();
    for element in elements {
        if list.len() > LIST_BYTES {
            lists.push(std::mem::take(&mut list).finish().map_err(|_too_long| Problem::TooLong)?);
        }
        write(&mut list, set, element)?;
    }
    if list.len() > 0 {
        lists.push(list.finish().map_err(|_too_long| Problem::TooLong)?);
    }
    Ok(lists)
}

fn write(list: &mut Writer, set: &Set, element: &Element) -> Result<(), Problem> {
    let timeout = element.timeout.map(milliseconds).transpose()?;
    let rest = |item: &mut Writer| {
        match &element.data {
            ElementData::None => (),
            ElementData::Verdict(verdict) => expression::verdict_data(item, NFTA_SET_ELEM_DATA, verdict),
            ElementData::Values(values) => {
                expression::value(item, NFTA_SET_ELEM_DATA, &concatenate(values.iter()));
            }
        }
        if let Some(timeout) = timeout {
            item.u64(NFTA_SET_ELEM_TIMEOUT, timeout);
        }
        // The kernel gives the set's own counter to those that come without.
        if let Some(count) = element.count {
            expression::element_counter(item, NFTA_SET_ELEM_EXPR, count);
        }
    };
    if let ([span], true) = (element.key.as_slice(), set.interval) {
        let (first, last) = span.ordered_bytes();
        list.nest(NFTA_LIST_ELEM, |item| {
            expression::value(item, NFTA_SET_ELEM_KEY, &first);
            rest(item);
        });
        if let Some(end) = successor(&last) {
            list.nest(NFTA_LIST_ELEM, |item| {
                expression::value(item, NFTA_SET_ELEM_KEY, &end);
                item.u32(NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
            });
        }
        return Ok(());
    }
    list.nest(NFTA_LIST_ELEM, |item| {
        expression::value(item, NFTA_SET_ELEM_KEY, &concatenate(element.key.iter().map(|span| &span.first)));
        if set.is_concatenated_interval() {
            expression::value(
                item,
                NFTA_SET_ELEM_KEY_END,
                &concatenate(element.key.iter().map(|span| &span.last)),
            );
        }
        rest(item);
    });
    Ok(())
}
