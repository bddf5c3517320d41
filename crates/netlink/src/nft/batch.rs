//! Several changes as one message to the kernel, which does all of them or none.

use crate::attribute::Writer;
use crate::message;
use crate::message::Opening;
use crate::nft::decode;
use crate::nft::encode::Invalid;
use crate::nft::encode::Problem;
use crate::nft::encode::expression::SetName;
use crate::nft::encode::rule;
use crate::nft::encode::set;
use crate::nft::kernel::NF_ACCEPT;
use crate::nft::kernel::NF_DROP;
use crate::nft::kernel::NFNL_SUBSYS_NFTABLES;
use crate::nft::kernel::NFT_MSG_DELSETELEM;
use crate::nft::kernel::NFT_MSG_DELTABLE;
use crate::nft::kernel::NFT_MSG_DESTROYSETELEM;
use crate::nft::kernel::NFT_MSG_NEWCHAIN;
use crate::nft::kernel::NFT_MSG_NEWRULE;
use crate::nft::kernel::NFT_MSG_NEWSET;
use crate::nft::kernel::NFT_MSG_NEWSETELEM;
use crate::nft::kernel::NFT_MSG_NEWTABLE;
use crate::nft::kernel::NFTA_CHAIN_HOOK;
use crate::nft::kernel::NFTA_CHAIN_NAME;
use crate::nft::kernel::NFTA_CHAIN_POLICY;
use crate::nft::kernel::NFTA_CHAIN_TABLE;
use crate::nft::kernel::NFTA_CHAIN_TYPE;
use crate::nft::kernel::NFTA_DEVICE_NAME;
use crate::nft::kernel::NFTA_HOOK_DEV;
use crate::nft::kernel::NFTA_HOOK_DEVS;
use crate::nft::kernel::NFTA_HOOK_HOOKNUM;
use crate::nft::kernel::NFTA_HOOK_PRIORITY;
use crate::nft::kernel::NFTA_RULE_CHAIN;
use crate::nft::kernel::NFTA_RULE_EXPRESSIONS;
use crate::nft::kernel::NFTA_RULE_TABLE;
use crate::nft::kernel::NFTA_RULE_USERDATA;
use crate::nft::kernel::NFTA_SET_ELEM_LIST_ELEMENTS;
use crate::nft::kernel::NFTA_SET_ELEM_LIST_SET;
use crate::nft::kernel::NFTA_SET_ELEM_LIST_SET_ID;
use crate::nft::kernel::NFTA_SET_ELEM_LIST_TABLE;
use crate::nft::kernel::NFTA_SET_NAME;
use crate::nft::kernel::NFTA_SET_TABLE;
use crate::nft::kernel::NFTA_TABLE_FLAGS;
use crate::nft::kernel::NFTA_TABLE_NAME;
use crate::nft::name::Name;
use crate::nft::rule::Rule;
use crate::nft::ruleset::Base;
use crate::nft::ruleset::Chain;
use crate::nft::ruleset::Family;
use crate::nft::ruleset::Hook;
use crate::nft::ruleset::Policy;
use crate::nft::ruleset::Ruleset;
use crate::nft::ruleset::Table;
use crate::nft::set::Element;
use crate::nft::set::Set;
use std::collections::HashMap;
use std::collections::HashSet;
use std::fmt;

const NFNL_MSG_BATCH_BEGIN: u16 = 16;
const NFNL_MSG_BATCH_END: u16 = 17;

/// Changes to be made together, in their order.
pub struct Batch {
    writer: Writer,
    /// Number of the next message.
    sequence: u32,
    /// Where the last message starts.
    last: usize,
    /// Number of the next set.
    next_set: u32,
}

/// A batch as it is sent.
pub(crate) struct Sealed {
    pub(crate) bytes: Vec<u8>,
    /// Number of the message that is answered when all is done; none when there is nothing to do.
    pub(crate) last: Option<u32>,
}

impl fmt::Debug for Batch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "batch of {} messages, {} bytes", self.sequence - 1, self.writer.len())
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl Batch {
    /// Nothing to do.
    #[must_use]
    pub fn new() -> Self {
        let mut batch = Self { writer: Writer::with_capacity(4096), sequence: 0, last: 0, next_set: 1 };
        batch.bracket(NFNL_MSG_BATCH_BEGIN);
        batch
    }

    /// Puts the tables of the ruleset in place of those of the same names. Other tables stay as they are.
    ///
    /// # Errors
    /// When the ruleset makes no sense.
    pub fn replace(mut self, ruleset: &Ruleset) -> Result<Self, Invalid> {
        let mut seen = HashSet::new();
        for table in &ruleset.tables {
            if !seen.insert((table.family, &table.name)) {
                return Err(invalid(table, "", Problem::Twice(table.name.to_string())));
            }
            self = self.delete_table(table.family, &table.name);
            self.table(table)?;
        }
        Ok(self)
    }

    /// Takes a table away with all that is in it; there need not be one.
    #[must_use]
    pub fn delete_table(mut self, family: Family, name: &Name) -> Self {
        self.new_table(family, name);
        self.message(NFT_MSG_DELTABLE, 0, family, |writer| writer.text(NFTA_TABLE_NAME, name.as_str()));
        self
    }

    /// Puts elements into a set that the kernel has. Those that are there stay as they are.
    ///
    /// # Errors
    /// When the elements are not of the set.
    pub fn add_elements(self, table: &Table, set: &Set, elements: &[Element]) -> Result<Self, Invalid> {
        self.change_elements(NFT_MSG_NEWSETELEM, table, set, elements)
    }

    /// Takes elements out of a set that the kernel has, by their keys. One that is not there makes the kernel refuse the batch.
    ///
    /// # Errors
    /// When the elements are not of the set.
    pub fn delete_elements(self, table: &Table, set: &Set, elements: &[Element]) -> Result<Self, Invalid> {
        self.change_elements(NFT_MSG_DELSETELEM, table, set, elements)
    }

    /// Takes elements out of a set that the kernel has, by their keys, whether they are there or not (Linux 6.3).
    ///
    /// # Errors
    /// When the elements are not of the set.
    pub fn clear_elements(self, table: &Table, set: &Set, elements: &[Element]) -> Result<Self, Invalid> {
        self.change_elements(NFT_MSG_DESTROYSETELEM, table, set, elements)
    }

    /// Puts elements into a set in place of those with the same keys, with timeouts and counts beginning anew.
    ///
    /// Adding alone would not: what is there already keeps its old timeout (newer kernels take the new) and must map to the same. So each
    /// is taken out and added again, which packets do not see.
    ///
    /// # Errors
    /// When the elements are not of the set.
    pub fn renew_elements(self, table: &Table, set: &Set, elements: &[Element]) -> Result<Self, Invalid> {
        self.clear_elements(table, set, elements)?.add_elements(table, set, elements)
    }

    fn table(&mut self, table: &Table) -> Result<(), Invalid> {
        self.new_table(table.family, &table.name);
        let mut chains = HashSet::new();
        for chain in &table.chains {
            let place = format!("chain {}", chain.name);
            if !chains.insert(&chain.name) {
                return Err(invalid(table, &place, Problem::Twice(chain.name.to_string())));
            }
            self.chain(table, chain).map_err(|problem| invalid(table, &place, problem))?;
        }
        let mut sets = HashSet::new();
        for set in &table.sets {
            let place = || format!("set {}", set.name);
            if !sets.insert(&set.name) {
                return Err(invalid(table, &place(), Problem::Twice(set.name.to_string())));
            }
            self.named_set(table, set).map_err(|problem| invalid(table, &place(), problem))?;
        }
        for set in &table.sets {
            self.elements(
                NFT_MSG_NEWSETELEM,
                table,
                set,
                SetName { name: set.name.as_str(), id: None },
                &set.elements,
            )
            .map_err(|problem| invalid(table, &format!("set {}", set.name), problem))?;
        }
        let named = table.sets.iter().map(|set| (&set.name, set)).collect();
        for chain in &table.chains {
            for (index, rule) in chain.rules.iter().enumerate() {
                self.rule(table, &named, chain, rule).map_err(|problem| {
                    let comment =
                        rule.comment.as_ref().map(|comment| format!(" ({comment})")).unwrap_or_default();
                    invalid(table, &format!("chain {} rule {}{comment}", chain.name, index + 1), problem)
                })?;
            }
        }
        Ok(())
    }

    fn new_table(&mut self, family: Family, name: &Name) {
        self.message(NFT_MSG_NEWTABLE, message::CREATE, family, |writer| {
            writer.text(NFTA_TABLE_NAME, name.as_str());
            writer.u32(NFTA_TABLE_FLAGS, 0);
        });
    }

    fn chain(&mut self, table: &Table, chain: &Chain) -> Result<(), Problem> {
        let hook = chain.base.as_ref().map(|base| hook_number(table.family, &base.hook)).transpose()?;
        self.message(NFT_MSG_NEWCHAIN, message::CREATE, table.family, |writer| {
            writer.text(NFTA_CHAIN_TABLE, table.name.as_str());
            writer.text(NFTA_CHAIN_NAME, chain.name.as_str());
            if let (Some(base), Some(hook)) = (&chain.base, hook) {
                base_chain(writer, base, hook);
            }
        });
        Ok(())
    }

    fn named_set(&mut self, table: &Table, set: &Set) -> Result<(), Problem> {
        let id = self.next_set;
        self.next_set = self.next_set.wrapping_add(1);
        self.set(table, set, set.name.as_str(), id, false)
    }

    fn set(
        &mut self,
        table: &Table,
        set: &Set,
        name: &str,
        id: u32,
        is_anonymous: bool,
    ) -> Result<(), Problem> {
        set::check_kinds(&set.key)?;
        if let crate::nft::set::SetData::Values(kinds) = &set.data {
            set::check_kinds(kinds)?;
        }
        let mut outcome = Ok(());
        self.message(NFT_MSG_NEWSET, message::CREATE, table.family, |writer| {
            writer.text(NFTA_SET_TABLE, table.name.as_str());
            writer.text(NFTA_SET_NAME, name);
            outcome = set::definition(writer, set, id, is_anonymous);
        });
        outcome
    }

    fn change_elements(
        mut self,
        message: u8,
        table: &Table,
        set: &Set,
        elements: &[Element],
    ) -> Result<Self, Invalid> {
        let invalid = |problem| invalid(table, &format!("set {}", set.name), problem);
        self.elements(message, table, set, SetName { name: set.name.as_str(), id: None }, elements)
            .map_err(invalid)?;
        Ok(self)
    }

    fn elements(
        &mut self,
        message: u8,
        table: &Table,
        set: &Set,
        name: SetName<'_>,
        elements: &[Element],
    ) -> Result<(), Problem> {
        let (lists, flags) = if message == NFT_MSG_NEWSETELEM {
            (set::lists(set, elements)?, message::CREATE)
        } else {
            (set::keys(set, elements)?, 0)
        };
        for list in lists {
            self.message(message, flags, table.family, |writer| {
                writer.text(NFTA_SET_ELEM_LIST_TABLE, table.name.as_str());
                writer.text(NFTA_SET_ELEM_LIST_SET, name.name);
                if let Some(id) = name.id {
                    writer.u32(NFTA_SET_ELEM_LIST_SET_ID, id);
                }
                writer.nest(NFTA_SET_ELEM_LIST_ELEMENTS, |writer| writer.raw(&list));
            });
        }
        Ok(())
    }

    fn rule(
        &mut self,
        table: &Table,
        named: &HashMap<&Name, &Set>,
        chain: &Chain,
        rule: &Rule,
    ) -> Result<(), Problem> {
        let encoded = rule::encode(table, named, rule, self.next_set)?;
        for (id, set) in &encoded.sets {
            self.next_set = id.wrapping_add(1);
            let name = SetName { name: rule::ANONYMOUS, id: Some(*id) };
            self.set(table, set, name.name, *id, true)?;
            self.elements(NFT_MSG_NEWSETELEM, table, set, name, &set.elements)?;
        }
        if encoded.expressions.len() > set::LIST_BYTES {
            return Err(Problem::TooLong);
        }
        self.message(NFT_MSG_NEWRULE, message::CREATE | message::APPEND, table.family, |writer| {
            writer.text(NFTA_RULE_TABLE, table.name.as_str());
            writer.text(NFTA_RULE_CHAIN, chain.name.as_str());
            writer.nest(NFTA_RULE_EXPRESSIONS, |writer| writer.raw(&encoded.expressions));
            if let Some(comment) = &rule.comment {
                writer.bytes(NFTA_RULE_USERDATA, &decode::comment_to_user_data(comment));
            }
        });
        Ok(())
    }

    fn bracket(&mut self, kind: u16) {
        let opening = Opening {
            kind,
            flags: message::REQUEST,
            sequence: self.sequence,
            family: 0,
            resource: u16::from(NFNL_SUBSYS_NFTABLES),
        };
        message::write(&mut self.writer, &opening, |_writer| ());
        self.sequence = self.sequence.wrapping_add(1);
    }

    fn message(&mut self, message: u8, flags: u16, family: Family, fill: impl FnOnce(&mut Writer)) {
        self.last = self.writer.len();
        let opening = Opening {
            kind: u16::from(NFNL_SUBSYS_NFTABLES) << 8 | u16::from(message),
            flags: message::REQUEST | flags,
            sequence: self.sequence,
            family: family.number(),
            resource: 0,
        };
        message::write(&mut self.writer, &opening, fill);
        self.sequence = self.sequence.wrapping_add(1);
    }

    /// Asks for one answer, to the last change: the kernel answers it when all were done. Refusals are sent unasked.
    pub(crate) fn seal(mut self) -> Result<Sealed, Invalid> {
        let last = (self.last > 0).then(|| self.sequence.wrapping_sub(1));
        if last.is_some() {
            message::ask_for_answer(&mut self.writer, self.last);
        }
        self.bracket(NFNL_MSG_BATCH_END);
        let too_long = |_too_long| Invalid { place: "the batch".to_owned(), problem: Problem::TooLong };
        Ok(Sealed { bytes: self.writer.finish().map_err(too_long)?, last })
    }
}

fn invalid(table: &Table, place: &str, problem: Problem) -> Invalid {
    let place = format!("table {} {} {place}", table.family.as_str(), table.name);
    Invalid { place: place.trim_end().to_owned(), problem }
}

fn base_chain(writer: &mut Writer, base: &Base, hook: u32) {
    writer.nest(NFTA_CHAIN_HOOK, |writer| {
        writer.u32(NFTA_HOOK_HOOKNUM, hook);
        writer.bytes(NFTA_HOOK_PRIORITY, &base.priority.to_be_bytes());
        if let Hook::Ingress(devices) | Hook::Egress(devices) = &base.hook {
            match devices.as_slice() {
                [only] => writer.text(NFTA_HOOK_DEV, only.as_str()),
                several => writer.nest(NFTA_HOOK_DEVS, |list| {
                    several.iter().for_each(|device| list.text(NFTA_DEVICE_NAME, device.as_str()));
                }),
            }
        }
    });
    writer.text(NFTA_CHAIN_TYPE, base.kind.as_str());
    let policy = match base.policy {
        Policy::Accept => NF_ACCEPT,
        Policy::Drop => NF_DROP,
    };
    writer.bytes(NFTA_CHAIN_POLICY, &policy.to_be_bytes());
}

/// `enum nf_inet_hooks`, `enum nf_dev_hooks` and include/uapi/linux/netfilter_arp.h.
fn hook_number(family: Family, hook: &Hook) -> Result<u32, Problem> {
    match (family, hook) {
        (_, Hook::Ingress(devices) | Hook::Egress(devices)) if devices.is_empty() => Err(Problem::Hook),
        (Family::Netdev, Hook::Ingress(_)) => Ok(0),
        (Family::Netdev, Hook::Egress(_)) => Ok(1),
        (Family::Inet, Hook::Ingress(_)) => Ok(5),
        (Family::Arp, Hook::Input) => Ok(0),
        (Family::Arp, Hook::Output) => Ok(1),
        (Family::Inet | Family::Ip | Family::Ip6, Hook::Prerouting) => Ok(0),
        (Family::Inet | Family::Ip | Family::Ip6, Hook::Input) => Ok(1),
        (Family::Inet | Family::Ip | Family::Ip6, Hook::Forward) => Ok(2),
        (Family::Inet | Family::Ip | Family::Ip6, Hook::Output) => Ok(3),
        (Family::Inet | Family::Ip | Family::Ip6, Hook::Postrouting) => Ok(4),
        _ => Err(Problem::Hook),
    }
}

#[cfg(test)]
mod tests;
