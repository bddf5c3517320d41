//! The kernel's expressions, one function each: the attributes of net/netfilter/nft_*.c.
//!
//! Attribute numbers are those of include/uapi/linux/netfilter/nf_tables.h, in the order of its enums.

use crate::attribute::Writer;
use crate::nft::kernel::NF_ACCEPT;
use crate::nft::kernel::NF_DROP;
use crate::nft::kernel::NFT_GOTO;
use crate::nft::kernel::NFT_JUMP;
use crate::nft::kernel::NFT_REG_VERDICT;
use crate::nft::kernel::NFT_RETURN;
use crate::nft::kernel::NFTA_DATA_VALUE;
use crate::nft::kernel::NFTA_DATA_VERDICT;
use crate::nft::kernel::NFTA_EXPR_DATA;
use crate::nft::kernel::NFTA_EXPR_NAME;
use crate::nft::kernel::NFTA_LIST_ELEM;
use crate::nft::kernel::NFTA_VERDICT_CHAIN;
use crate::nft::kernel::NFTA_VERDICT_CODE;
use crate::nft::rule::Limit;
use crate::nft::rule::Per;
use crate::nft::rule::Verdict;
use crate::nft::set::Count;

/// `enum nft_cmp_ops`
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operator {
    Equal = 0,
    NotEqual = 1,
    AtMost = 3,
    AtLeast = 5,
}

impl Operator {
    pub(crate) fn unless(negated: bool) -> Self {
        if negated { Self::NotEqual } else { Self::Equal }
    }
}

/// Which set is looked into: a name, and for one without a name its number within the batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SetName<'a> {
    pub(crate) name: &'a str,
    pub(crate) id: Option<u32>,
}

fn body(writer: &mut Writer, name: &str, fill: impl FnOnce(&mut Writer)) {
    writer.text(NFTA_EXPR_NAME, name);
    writer.nest(NFTA_EXPR_DATA, fill);
}

fn expression(writer: &mut Writer, name: &str, fill: impl FnOnce(&mut Writer)) {
    writer.nest(NFTA_LIST_ELEM, |writer| body(writer, name, fill));
}

/// `NFTA_DATA_VALUE`
pub(crate) fn value(writer: &mut Writer, kind: u16, bytes: &[u8]) {
    writer.nest(kind, |writer| writer.bytes(NFTA_DATA_VALUE, bytes));
}

/// `NFTA_DATA_VERDICT`
pub(crate) fn verdict_data(writer: &mut Writer, kind: u16, verdict: &Verdict) {
    let (code, chain) = match verdict {
        Verdict::Accept => (NF_ACCEPT, None),
        Verdict::Drop => (NF_DROP, None),
        Verdict::Return => (NFT_RETURN, None),
        Verdict::Jump(chain) => (NFT_JUMP, Some(chain)),
        Verdict::Goto(chain) => (NFT_GOTO, Some(chain)),
    };
    writer.nest(kind, |writer| {
        writer.nest(NFTA_DATA_VERDICT, |writer| {
            writer.bytes(NFTA_VERDICT_CODE, &code.to_be_bytes());
            if let Some(chain) = chain {
                writer.text(NFTA_VERDICT_CHAIN, chain.as_str());
            }
        });
    });
}

pub(crate) fn meta_load(writer: &mut Writer, key: u32, register: u32) {
    expression(writer, "meta", |data| {
        data.u32(2, key);
        data.u32(1, register);
    });
}

pub(crate) fn meta_set(writer: &mut Writer, key: u32, register: u32) {
    expression(writer, "meta", |data| {
        data.u32(2, key);
        data.u32(3, register);
    });
}

pub(crate) fn ct_load(writer: &mut Writer, key: u32, register: u32) {
    expression(writer, "ct", |data| {
        data.u32(2, key);
        data.u32(1, register);
    });
}

pub(crate) fn ct_set(writer: &mut Writer, key: u32, register: u32) {
    expression(writer, "ct", |data| {
        data.u32(2, key);
        data.u32(4, register);
    });
}

pub(crate) fn payload(writer: &mut Writer, layer: u32, offset: u32, length: u32, register: u32) {
    expression(writer, "payload", |data| {
        data.u32(1, register);
        data.u32(2, layer);
        data.u32(3, offset);
        data.u32(4, length);
    });
}

pub(crate) fn fib(writer: &mut Writer, result: u32, flags: u32, register: u32) {
    expression(writer, "fib", |data| {
        data.u32(1, register);
        data.u32(2, result);
        data.u32(3, flags);
    });
}

/// `enum nft_exthdr_op`
#[derive(Clone, Copy, Debug)]
pub(crate) enum HeaderKind {
    Ipv6 = 0,
    Ipv4Option = 2,
}

/// One byte: whether the header is there (`NFT_EXTHDR_F_PRESENT`).
pub(crate) fn header_is_there(writer: &mut Writer, kind: HeaderKind, number: u8, register: u32) {
    expression(writer, "exthdr", |data| {
        data.u32(1, register);
        data.u8(2, number);
        data.u32(3, 0);
        data.u32(4, 1);
        data.u32(5, 1);
        data.u32(6, kind as u32);
    });
}

pub(crate) fn compare(writer: &mut Writer, register: u32, operator: Operator, bytes: &[u8]) {
    expression(writer, "cmp", |data| {
        data.u32(1, register);
        data.u32(2, operator as u32);
        value(data, 3, bytes);
    });
}

/// Outside of the range: inside is two comparisons.
pub(crate) fn outside(writer: &mut Writer, register: u32, first: &[u8], last: &[u8]) {
    expression(writer, "range", |data| {
        data.u32(1, register);
        data.u32(2, 1);
        value(data, 3, first);
        value(data, 4, last);
    });
}

/// The register and the mask, then the exclusive or.
pub(crate) fn bitwise(writer: &mut Writer, register: u32, mask: &[u8], xor: &[u8]) {
    expression(writer, "bitwise", |data| {
        data.u32(1, register);
        data.u32(2, register);
        // At most sixteen bytes.
        data.u32(3, u32::try_from(mask.len()).unwrap_or(u32::MAX));
        data.u32(6, 0);
        value(data, 4, mask);
        value(data, 5, xor);
    });
}

/// Turns a number of this many bytes round, into network byte order.
pub(crate) fn to_network_order(writer: &mut Writer, register: u32, length: u32) {
    expression(writer, "byteorder", |data| {
        data.u32(1, register);
        data.u32(2, register);
        data.u32(3, 1);
        data.u32(4, length);
        data.u32(5, length);
    });
}

/// `NFTA_LOOKUP_SET`, `_SREG`, `_DREG`, `_SET_ID`, `_FLAGS` are 1 to 5 in this order; descriptions that mix up the middle ones are
/// about.
pub(crate) fn lookup(
    writer: &mut Writer,
    set: SetName<'_>,
    source: u32,
    destination: Option<u32>,
    negated: bool,
) {
    expression(writer, "lookup", |data| {
        data.u32(2, source);
        if let Some(register) = destination {
            data.u32(3, register);
        }
        data.text(1, set.name);
        if let Some(id) = set.id {
            data.u32(4, id);
        }
        if negated {
            data.u32(5, 1);
        }
    });
}

pub(crate) fn load_value(writer: &mut Writer, register: u32, bytes: &[u8]) {
    expression(writer, "immediate", |data| {
        data.u32(1, register);
        value(data, 2, bytes);
    });
}

pub(crate) fn verdict(writer: &mut Writer, verdict: &Verdict) {
    expression(writer, "immediate", |data| {
        data.u32(1, NFT_REG_VERDICT);
        verdict_data(data, 2, verdict);
    });
}

const COUNTER: &str = "counter";

pub(crate) fn counter(writer: &mut Writer, packets: u64, bytes: u64) {
    expression(writer, COUNTER, |data| counter_body(data, Count { packets, bytes }));
}

/// The counter of a set's elements, or of one of them.
pub(crate) fn element_counter(writer: &mut Writer, kind: u16, count: Count) {
    writer.nest(kind, |writer| body(writer, COUNTER, |data| counter_body(data, count)));
}

fn counter_body(writer: &mut Writer, count: Count) {
    writer.u64(1, count.bytes);
    writer.u64(2, count.packets);
}

fn limit_body(writer: &mut Writer, limit: &Limit) {
    let seconds = match limit.per {
        Per::Second => 1,
        Per::Minute => 60,
        Per::Hour => 3600,
        Per::Day => 86400,
    };
    body(writer, "limit", |data| {
        data.u64(1, limit.rate);
        data.u64(2, seconds);
        data.u32(3, limit.burst);
        data.u32(4, 0);
        data.u32(5, u32::from(limit.over));
    });
}

pub(crate) fn limit(writer: &mut Writer, limit: &Limit) {
    writer.nest(NFTA_LIST_ELEM, |writer| limit_body(writer, limit));
}

pub(crate) fn log(writer: &mut Writer, prefix: Option<&str>, group: Option<u16>) {
    expression(writer, "log", |data| {
        if let Some(prefix) = prefix {
            data.text(2, prefix);
        }
        if let Some(group) = group {
            data.u16(1, group);
        }
    });
}

/// `enum nft_reject_types`
#[derive(Clone, Copy, Debug)]
pub(crate) enum RejectKind {
    IcmpUnreachable = 0,
    TcpReset = 1,
    IcmpxUnreachable = 2,
}

pub(crate) fn reject(writer: &mut Writer, kind: RejectKind, code: u8) {
    expression(writer, "reject", |data| {
        data.u32(1, kind as u32);
        data.u8(2, code);
    });
}

/// `NF_NAT_RANGE_PROTO_SPECIFIED`
const PORT_GIVEN: u32 = 2;

/// What is rewritten: the kernel's numbers for source or destination and for IPv4 or IPv6, and the registers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NatRegisters {
    /// `enum nft_nat_types`
    pub(crate) kind: u32,
    /// `NFPROTO_*`
    pub(crate) family: u32,
    pub(crate) address: u32,
    pub(crate) port: Option<u32>,
}

pub(crate) fn nat(writer: &mut Writer, registers: NatRegisters) {
    expression(writer, "nat", |data| {
        data.u32(1, registers.kind);
        data.u32(2, registers.family);
        data.u32(3, registers.address);
        if let Some(port) = registers.port {
            data.u32(5, port);
            data.u32(7, PORT_GIVEN);
        }
    });
}

pub(crate) fn masquerade(writer: &mut Writer) {
    expression(writer, "masq", |_data| ());
}

pub(crate) fn redirect(writer: &mut Writer, port: Option<u32>) {
    expression(writer, "redir", |data| {
        if let Some(port) = port {
            data.u32(1, port);
            data.u32(3, PORT_GIVEN);
        }
    });
}

pub(crate) fn no_track(writer: &mut Writer) {
    writer.nest(NFTA_LIST_ELEM, |writer| writer.text(NFTA_EXPR_NAME, "notrack"));
}

/// Adds to a set or renews (`NFT_DYNSET_OP_UPDATE`).
pub(crate) fn remember(
    writer: &mut Writer,
    set: &str,
    register: u32,
    timeout: Option<u64>,
    per_element: Option<&Limit>,
) {
    expression(writer, "dynset", |data| {
        data.u32(4, register);
        data.u32(3, 1);
        if let Some(milliseconds) = timeout {
            data.u64(6, milliseconds);
        }
        data.text(1, set);
        if let Some(limit) = per_element {
            data.nest(7, |data| limit_body(data, limit));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::Attributes;

    /// include/uapi/linux/netfilter/nf_tables.h: NFTA_LOOKUP_SET 1, SREG 2, DREG 3, SET_ID 4, FLAGS 5.
    #[test]
    fn a_lookup_has_the_kernels_attribute_numbers() {
        let mut writer = Writer::default();
        lookup(&mut writer, SetName { name: "m", id: Some(7) }, 1, Some(9), true);
        let bytes = writer.finish().unwrap();
        let list = Attributes::of(&bytes).require(NFTA_LIST_ELEM, "element").unwrap().nested();
        assert_eq!(list.require(NFTA_EXPR_NAME, "name").unwrap().text(), "lookup");
        let data = list.require(NFTA_EXPR_DATA, "data").unwrap();
        #[rustfmt::skip]
        let expected: &[u8] = &if cfg!(target_endian = "little") {
            [
                8, 0, 2, 0, 0, 0, 0, 1,
                8, 0, 3, 0, 0, 0, 0, 9,
                6, 0, 1, 0, b'm', 0, 0, 0,
                8, 0, 4, 0, 0, 0, 0, 7,
                8, 0, 5, 0, 0, 0, 0, 1,
            ]
        } else {
            [
                0, 8, 0, 2, 0, 0, 0, 1,
                0, 8, 0, 3, 0, 0, 0, 9,
                0, 6, 0, 1, b'm', 0, 0, 0,
                0, 8, 0, 4, 0, 0, 0, 7,
                0, 8, 0, 5, 0, 0, 0, 1,
            ]
        };
        assert_eq!(data.value, expected);
    }
}
