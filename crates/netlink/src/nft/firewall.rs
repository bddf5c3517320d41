//! The kernel's nftables, asked and changed over a netlink socket.

use crate::message::Kind;
use crate::message::Said;
use crate::nft::batch::Batch;
use crate::nft::decode;
use crate::nft::decode::LiveElement;
use crate::nft::decode::RawElement;
use crate::nft::encode::Invalid;
use crate::nft::kernel::NFNL_SUBSYS_NFTABLES;
use crate::nft::kernel::NFT_MSG_GETGEN;
use crate::nft::kernel::NFT_MSG_GETRULE;
use crate::nft::kernel::NFT_MSG_GETSETELEM;
use crate::nft::kernel::NFT_MSG_NEWGEN;
use crate::nft::kernel::NFT_MSG_NEWRULE;
use crate::nft::kernel::NFT_MSG_NEWSETELEM;
use crate::nft::kernel::NFTA_RULE_TABLE;
use crate::nft::kernel::NFTA_SET_ELEM_LIST_SET;
use crate::nft::kernel::NFTA_SET_ELEM_LIST_TABLE;
use crate::nft::name::Name;
use crate::nft::ruleset::Counter;
use crate::nft::ruleset::Family;
use crate::nft::ruleset::Ruleset;
use crate::nft::ruleset::Table;
use crate::nft::set::Set;
use crate::socket::LIST_TIME;
use crate::socket::Socket;
use crate::socket::SocketError;
use std::fmt;
use std::io;
use std::time::Instant;

/// A change that was not made.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It makes no sense; the kernel was not asked.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The kernel refused it: nothing has changed.
    #[error("the kernel refused {what}{}", explanation.as_ref().map(|text| format!(" ({text})")).unwrap_or_default())]
    Refused {
        /// The first thing that it refused: table, chain and rule with its comment, or set.
        what: String,
        /// The kernel's words, if it has any.
        explanation: Option<String>,
        /// The error number.
        #[source]
        source: io::Error,
    },
    /// The kernel could not be asked. After an overrun or silence it is unknown whether the change was made.
    #[error(transparent)]
    Socket(#[from] SocketError),
}

/// nftables of the network namespace that it was opened in.
///
/// Calls block: a few milliseconds for a ruleset of a thousand rules, most of it the kernel waiting for packets that still run through
/// the old rules. Deadlines of seconds are there for a kernel that does not answer at all.
pub struct Firewall {
    socket: Socket,
}

impl fmt::Debug for Firewall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("firewall socket")
    }
}

fn kind(message: u8) -> Kind {
    Kind { subsystem: NFNL_SUBSYS_NFTABLES, message }
}

impl Firewall {
    /// Opens a socket in the network namespace of the calling thread.
    ///
    /// # Errors
    /// When the kernel has no netfilter.
    pub fn open() -> Result<Self, SocketError> {
        Ok(Self { socket: Socket::open()? })
    }

    /// Puts the tables of the ruleset in place of those of the same names: all at once, or not at all. No packet sees anything in
    /// between.
    ///
    /// # Errors
    /// When the ruleset makes no sense or is refused; the old one then stays.
    pub fn replace(&mut self, ruleset: &Ruleset) -> Result<(), ApplyError> {
        self.apply(Batch::new().replace(ruleset)?)
    }

    /// Makes all changes of a batch, or none.
    ///
    /// # Errors
    /// When the kernel refuses one of them.
    pub fn apply(&mut self, batch: Batch) -> Result<(), ApplyError> {
        let sealed = batch.seal()?;
        let Some(last) = sealed.last else { return Ok(()) };
        self.socket.send(&sealed.bytes)?;
        let mut refused: Option<(u32, i32, Option<String>)> = None;
        let mut is_answered = false;
        let deadline = Instant::now() + LIST_TIME;
        while !is_answered {
            if Instant::now() >= deadline {
                return Err(SocketError::Endless.into());
            }
            let messages = match self.socket.receive() {
                Ok(messages) => messages,
                // Refusals that were not heard change nothing about the first.
                Err(SocketError::Overrun | SocketError::Silent) if refused.is_some() => break,
                Err(error) => return Err(error.into()),
            };
            for message in messages {
                let message = message.map_err(SocketError::from)?;
                match message.said().map_err(SocketError::from)? {
                    Said::Refused { errno, explanation } => {
                        // The opening of the batch has number zero: refused as a whole, at once or at the end.
                        is_answered |= message.sequence == last || message.sequence == 0;
                        refused.get_or_insert((message.sequence, errno, explanation));
                    }
                    Said::Acknowledged => is_answered |= message.sequence == last,
                    Said::Data { .. } | Said::Done | Said::Nothing => (),
                }
            }
        }
        match refused {
            None => Ok(()),
            Some((sequence, errno, explanation)) => Err(ApplyError::Refused {
                what: decode::describe(&sealed.bytes, sequence)
                    .unwrap_or_else(|| "the batch as a whole".to_owned()),
                explanation,
                source: io::Error::from_raw_os_error(errno),
            }),
        }
    }

    /// What the rules of a table have counted, in their order; empty when there is no such table.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn counters(&mut self, family: Family, table: &Name) -> Result<Vec<Counter>, SocketError> {
        self.socket.list(
            kind(NFT_MSG_GETRULE),
            family.number(),
            |writer| writer.text(NFTA_RULE_TABLE, table.as_str()),
            |counters: &mut Vec<Counter>, said| {
                if let Said::Data { kind: heard, attributes, .. } = said
                    && heard == kind(NFT_MSG_NEWRULE)
                {
                    counters.extend(decode::counter(family, attributes)?);
                }
                Ok(())
            },
        )
    }

    /// What is in a set of the kernel now.
    ///
    /// # Errors
    /// When there is no such set, when it is not of the kinds given, or when the kernel cannot be asked.
    pub fn elements(&mut self, table: &Table, set: &Set) -> Result<Vec<LiveElement>, SocketError> {
        let raw = self.socket.list(
            kind(NFT_MSG_GETSETELEM),
            table.family.number(),
            |writer| {
                writer.text(NFTA_SET_ELEM_LIST_TABLE, table.name.as_str());
                writer.text(NFTA_SET_ELEM_LIST_SET, set.name.as_str());
            },
            |elements: &mut Vec<RawElement>, said| {
                if let Said::Data { kind: heard, attributes, .. } = said
                    && heard == kind(NFT_MSG_NEWSETELEM)
                {
                    decode::elements(set, attributes, elements)?;
                }
                Ok(())
            },
        )?;
        Ok(decode::assemble(set, raw)?)
    }

    /// The number of the present state of all rulesets of the namespace; it counts up with every change of any of them.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn generation(&mut self) -> Result<u32, SocketError> {
        let mut found = None;
        self.socket.ask(
            kind(NFT_MSG_GETGEN),
            0,
            |_writer| (),
            |_message, said| {
                if let Said::Data { kind: heard, attributes, .. } = said
                    && heard == kind(NFT_MSG_NEWGEN)
                {
                    found = Some(decode::generation(attributes)?);
                }
                Ok(())
            },
        )?;
        found.ok_or(SocketError::Silent)
    }
}
