//! From the kernel's messages to the model. Pure, bounded by the bytes given.

use crate::attribute::Attribute;
use crate::attribute::Attributes;
use crate::attribute::Malformed;
use crate::message::Messages;
use crate::message::Said;
use crate::nft::kernel::NF_ACCEPT;
use crate::nft::kernel::NF_DROP;
use crate::nft::kernel::NFNL_SUBSYS_NFTABLES;
use crate::nft::kernel::NFT_GOTO;
use crate::nft::kernel::NFT_JUMP;
use crate::nft::kernel::NFT_MSG_DELSETELEM;
use crate::nft::kernel::NFT_MSG_DELTABLE;
use crate::nft::kernel::NFT_MSG_DESTROYSETELEM;
use crate::nft::kernel::NFT_MSG_NEWCHAIN;
use crate::nft::kernel::NFT_MSG_NEWRULE;
use crate::nft::kernel::NFT_MSG_NEWSET;
use crate::nft::kernel::NFT_MSG_NEWSETELEM;
use crate::nft::kernel::NFT_MSG_NEWTABLE;
use crate::nft::kernel::NFT_RETURN;
use crate::nft::kernel::NFT_SET_ELEM_INTERVAL_END;
use crate::nft::kernel::NFTA_CHAIN_NAME;
use crate::nft::kernel::NFTA_DATA_VALUE;
use crate::nft::kernel::NFTA_DATA_VERDICT;
use crate::nft::kernel::NFTA_EXPR_DATA;
use crate::nft::kernel::NFTA_EXPR_NAME;
use crate::nft::kernel::NFTA_GEN_ID;
use crate::nft::kernel::NFTA_RULE_CHAIN;
use crate::nft::kernel::NFTA_RULE_EXPRESSIONS;
use crate::nft::kernel::NFTA_RULE_TABLE;
use crate::nft::kernel::NFTA_RULE_USERDATA;
use crate::nft::kernel::NFTA_SET_ELEM_DATA;
use crate::nft::kernel::NFTA_SET_ELEM_EXPIRATION;
use crate::nft::kernel::NFTA_SET_ELEM_EXPR;
use crate::nft::kernel::NFTA_SET_ELEM_FLAGS;
use crate::nft::kernel::NFTA_SET_ELEM_KEY;
use crate::nft::kernel::NFTA_SET_ELEM_KEY_END;
use crate::nft::kernel::NFTA_SET_ELEM_LIST_ELEMENTS;
use crate::nft::kernel::NFTA_SET_ELEM_LIST_SET;
use crate::nft::kernel::NFTA_SET_ELEM_TIMEOUT;
use crate::nft::kernel::NFTA_SET_NAME;
use crate::nft::kernel::NFTA_TABLE_NAME;
use crate::nft::kernel::NFTA_VERDICT_CHAIN;
use crate::nft::kernel::NFTA_VERDICT_CODE;
use crate::nft::kernel::NFTNL_UDATA_RULE_COMMENT;
use crate::nft::name::Comment;
use crate::nft::name::Name;
use crate::nft::rule::Verdict;
use crate::nft::ruleset::Counter;
use crate::nft::ruleset::Family;
use crate::nft::set::Count;
use crate::nft::set::ElementData;
use crate::nft::set::Set;
use crate::nft::set::SetData;
use crate::nft::span::Span;
use crate::nft::value::Kind;
use crate::nft::value::Value;
use std::time::Duration;

/// An element of a set of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveElement {
    /// One span a field.
    pub key: Vec<Span>,
    /// What the key maps to.
    pub data: ElementData,
    /// After which time it was to end when it was put in.
    pub timeout: Option<Duration>,
    /// After which time it ends.
    pub expires: Option<Duration>,
    /// What it has counted, in a set that counts.
    pub count: Option<Count>,
}

/// The type of a comment, its length, and the text with a zero byte.
pub(crate) fn comment_to_user_data(comment: &Comment) -> Vec<u8> {
    let text = comment.as_str().as_bytes();
    // At most 127 bytes: the type says so.
    let length = u8::try_from(text.len() + 1).unwrap_or(u8::MAX);
    [&[NFTNL_UDATA_RULE_COMMENT, length], text, &[0]].concat()
}

/// The comment in the user data of a rule, which others may have written.
pub(crate) fn comment_from_user_data(mut bytes: &[u8]) -> Option<String> {
    while let [kind, length, rest @ ..] = bytes {
        let value = rest.get(..usize::from(*length))?;
        if *kind == NFTNL_UDATA_RULE_COMMENT {
            let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
            return Some(String::from_utf8_lossy(&value[..end]).into_owned());
        }
        bytes = rest.get(usize::from(*length)..)?;
    }
    None
}

/// What a rule has counted, if it counts.
pub(crate) fn counter(family: Family, rule: Attributes<'_>) -> Result<Option<Counter>, Malformed> {
    let Some(expressions) = rule.find(NFTA_RULE_EXPRESSIONS)? else { return Ok(None) };
    for expression in expressions.nested() {
        let Some(Count { packets, bytes }) = count(expression?.nested())? else { continue };
        let text = |kind| rule.require(kind, "a rule's place").map(|attribute| attribute.text());
        return Ok(Some(Counter {
            family,
            table: text(NFTA_RULE_TABLE)?,
            chain: text(NFTA_RULE_CHAIN)?,
            comment: rule
                .find(NFTA_RULE_USERDATA)?
                .and_then(|attribute| comment_from_user_data(attribute.value)),
            packets,
            bytes,
        }));
    }
    Ok(None)
}

/// What an expression has counted, if it counts.
fn count(expression: Attributes<'_>) -> Result<Option<Count>, Malformed> {
    if expression.require(NFTA_EXPR_NAME, "the name of an expression")?.text() != "counter" {
        return Ok(None);
    }
    let data = expression.require(NFTA_EXPR_DATA, "a counter")?.nested();
    Ok(Some(Count {
        packets: data.require(2, "a counter's packets")?.u64("a counter's packets")?,
        bytes: data.require(1, "a counter's bytes")?.u64("a counter's bytes")?,
    }))
}

pub(crate) fn generation(attributes: Attributes<'_>) -> Result<u32, Malformed> {
    let what = "a generation";
    attributes.require(NFTA_GEN_ID, what)?.u32(what)
}

/// An element as it stands in the kernel; ranges come in two pieces, or as two keys.
#[derive(Debug)]
pub(crate) struct RawElement {
    pub(crate) key: Vec<u8>,
    pub(crate) key_end: Option<Vec<u8>>,
    pub(crate) is_end: bool,
    pub(crate) data: ElementData,
    pub(crate) timeout: Option<Duration>,
    pub(crate) expires: Option<Duration>,
    pub(crate) count: Option<Count>,
}

/// The elements of one message of a list.
pub(crate) fn elements(
    set: &Set,
    message: Attributes<'_>,
    into: &mut Vec<RawElement>,
) -> Result<(), Malformed> {
    let Some(list) = message.find(NFTA_SET_ELEM_LIST_ELEMENTS)? else { return Ok(()) };
    for item in list.nested() {
        into.push(element(set, item?.nested())?);
    }
    Ok(())
}

fn element(set: &Set, item: Attributes<'_>) -> Result<RawElement, Malformed> {
    let what = "an element";
    let key = |kind: u16| -> Result<Option<Vec<u8>>, Malformed> {
        let Some(attribute) = item.find(kind)? else { return Ok(None) };
        Ok(Some(attribute.nested().require(NFTA_DATA_VALUE, "a key")?.value.to_vec()))
    };
    let time = |kind: u16| -> Result<Option<Duration>, Malformed> {
        item.find(kind)?.map(|attribute| attribute.u64(what).map(Duration::from_millis)).transpose()
    };
    let counted = item.find(NFTA_SET_ELEM_EXPR)?.map_or(Ok(None), |attribute| count(attribute.nested()))?;
    let flags = item.find(NFTA_SET_ELEM_FLAGS)?.map_or(Ok(0), |attribute| attribute.u32(what))?;
    let data = match (item.find(NFTA_SET_ELEM_DATA)?, &set.data) {
        (None, _) | (Some(_), SetData::None) => ElementData::None,
        (Some(data), SetData::Verdict) => ElementData::Verdict(verdict(data)?),
        (Some(data), SetData::Values(kinds)) => {
            let bytes = data.nested().require(NFTA_DATA_VALUE, "an element's data")?.value;
            ElementData::Values(split(kinds, bytes)?)
        }
    };
    Ok(RawElement {
        key: key(NFTA_SET_ELEM_KEY)?.ok_or(Malformed { what: "a key" })?,
        key_end: key(NFTA_SET_ELEM_KEY_END)?,
        is_end: flags & NFT_SET_ELEM_INTERVAL_END != 0,
        data,
        timeout: time(NFTA_SET_ELEM_TIMEOUT)?,
        expires: time(NFTA_SET_ELEM_EXPIRATION)?,
        count: counted,
    })
}

fn verdict(data: Attribute<'_>) -> Result<Verdict, Malformed> {
    let malformed = Malformed { what: "a verdict" };
    let verdict = data.nested().require(NFTA_DATA_VERDICT, malformed.what)?.nested();
    let code =
        verdict.require(NFTA_VERDICT_CODE, malformed.what)?.array(malformed.what).map(i32::from_be_bytes)?;
    let chain = || {
        let text = verdict.require(NFTA_VERDICT_CHAIN, malformed.what)?.text();
        Name::new(&text).map_err(|_not_ours| malformed)
    };
    match code {
        NF_ACCEPT => Ok(Verdict::Accept),
        NF_DROP => Ok(Verdict::Drop),
        NFT_RETURN => Ok(Verdict::Return),
        NFT_JUMP => Ok(Verdict::Jump(chain()?)),
        NFT_GOTO => Ok(Verdict::Goto(chain()?)),
        _ => Err(malformed),
    }
}

/// Values side by side, as [`crate::nft::encode::set::concatenate`] puts them.
fn split(kinds: &[Kind], bytes: &[u8]) -> Result<Vec<Value>, Malformed> {
    let malformed = Malformed { what: "a key or data of an element" };
    let mut rest = bytes;
    kinds
        .iter()
        .map(|kind| {
            let (field, next) = rest.split_at_checked(kind.facts().width).ok_or(malformed)?;
            let padding = if kinds.len() == 1 { 0 } else { kind.padded_width() - field.len() };
            rest = next.get(padding..).ok_or(malformed)?;
            Value::from_bytes(*kind, field).ok_or(malformed)
        })
        .collect()
}

/// Puts the two pieces of ranges together.
pub(crate) fn assemble(set: &Set, mut raw: Vec<RawElement>) -> Result<Vec<LiveElement>, Malformed> {
    let is_sorted = set.interval && set.key.len() == 1;
    if is_sorted {
        // An end before the start that has the same key.
        raw.sort_by(|one, other| one.key.cmp(&other.key).then(other.is_end.cmp(&one.is_end)));
    }
    let mut ends = raw.iter().skip(1).map(|next| Some(next.key.clone())).chain([None]).collect::<Vec<_>>();
    let mut found = Vec::with_capacity(raw.len());
    for (element, next) in raw.into_iter().zip(ends.drain(..)) {
        if element.is_end {
            continue;
        }
        let key = if is_sorted { ordered_span(set, element.key, next)? } else { spans(set, &element)? };
        found.push(LiveElement {
            key,
            data: element.data,
            timeout: element.timeout,
            expires: element.expires,
            count: element.count,
        });
    }
    Ok(found)
}

fn ordered_span(set: &Set, first: Vec<u8>, next: Option<Vec<u8>>) -> Result<Vec<Span>, Malformed> {
    let last = match next {
        Some(next) => predecessor(&next).ok_or(Malformed { what: "a range" })?,
        None => vec![0xff; first.len()],
    };
    let turn = |mut bytes: Vec<u8>| {
        let is_turned = set.key.first().is_some_and(|kind| kind.is_turned_for_ranges());
        if is_turned && cfg!(target_endian = "little") {
            bytes.reverse();
        }
        split(&set.key, &bytes)
    };
    Ok(pair(turn(first)?, turn(last)?))
}

fn spans(set: &Set, element: &RawElement) -> Result<Vec<Span>, Malformed> {
    let first = split(&set.key, &element.key)?;
    let last = element.key_end.as_ref().map_or_else(|| Ok(first.clone()), |end| split(&set.key, end))?;
    Ok(pair(first, last))
}

fn pair(first: Vec<Value>, last: Vec<Value>) -> Vec<Span> {
    first.into_iter().zip(last).map(|(first, last)| Span { first, last }).collect()
}

/// The byte string before this one in order; none before the first.
fn predecessor(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut previous = bytes.to_vec();
    for byte in previous.iter_mut().rev() {
        let borrows = *byte == 0;
        *byte = byte.wrapping_sub(1);
        if !borrows {
            return Some(previous);
        }
    }
    None
}

/// What the message of this number in one of our own batches is about, in words; none when it is about none of these.
pub(crate) fn describe(batch: &[u8], sequence: u32) -> Option<String> {
    let mut rules_before = std::collections::HashMap::new();
    for message in Messages::of(batch) {
        let message = message.ok()?;
        let Said::Data { kind, family, attributes } = message.said().ok()? else { continue };
        if kind.subsystem != NFNL_SUBSYS_NFTABLES {
            continue;
        }
        let text =
            |kind| attributes.find(kind).ok().flatten().map(|attribute| attribute.text()).unwrap_or_default();
        let is_it = message.sequence == sequence;
        let mut place = String::new();
        if is_it {
            // All first attributes are the table's name.
            let family = Family::from_number(family).map_or("", Family::as_str);
            place = format!("table {family} {}", text(NFTA_TABLE_NAME));
        }
        match kind.message {
            NFT_MSG_NEWRULE => {
                let chain = text(NFTA_RULE_CHAIN);
                let number =
                    rules_before.entry((family, text(NFTA_RULE_TABLE), chain.clone())).or_insert(0_u32);
                *number += 1;
                if is_it {
                    let user_data = attributes.find(NFTA_RULE_USERDATA).ok().flatten();
                    let comment = user_data.and_then(|attribute| comment_from_user_data(attribute.value));
                    let comment = comment.map(|comment| format!(" ({comment})")).unwrap_or_default();
                    return Some(format!("{place} chain {chain} rule {number}{comment}"));
                }
            }
            _ if !is_it => (),
            NFT_MSG_NEWTABLE | NFT_MSG_DELTABLE => return Some(place),
            NFT_MSG_NEWCHAIN => return Some(format!("{place} chain {}", text(NFTA_CHAIN_NAME))),
            NFT_MSG_NEWSET => return Some(format!("{place} set {}", text(NFTA_SET_NAME))),
            NFT_MSG_NEWSETELEM | NFT_MSG_DELSETELEM | NFT_MSG_DESTROYSETELEM => {
                return Some(format!("{place} elements of set {}", text(NFTA_SET_ELEM_LIST_SET)));
            }
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests;
