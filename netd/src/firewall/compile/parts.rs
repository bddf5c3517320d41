//! Pieces that all chains are made of.

use super::openings::OPEN;
use super::sets::LIVE;
use crate::firewall::permission::Mark;
use crate::firewall::permission::Permission;
use crate::firewall::refusal::Refusal;
use netlink::nft;
use netlink::nft::Chain;
use netlink::nft::Comment;
use netlink::nft::CtState;
use netlink::nft::InterfaceName;
use netlink::nft::InvalidName;
use netlink::nft::MarkSource;
use netlink::nft::Name;
use netlink::nft::Rule;
use netlink::nft::Statement;
use netlink::nft::Verdict;
use netlink::nft::field::CT_MARK;
use netlink::nft::field::CT_STATE;

/// Why there are no rules.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// A name.
    #[error("name a part of the rules")]
    Name(#[from] InvalidName),
}

/// Longest comment that the kernel's users print.
const MAX_COMMENT: usize = 127;

pub(super) fn name(text: &str) -> Result<Name, CompileError> {
    Ok(Name::new(text)?)
}

pub(super) fn link(text: &str) -> Result<InterfaceName, CompileError> {
    Ok(InterfaceName::new(text)?)
}

pub(super) fn comment(text: &str) -> Result<Comment, CompileError> {
    Ok(Comment::new(text)?)
}

/// The comment of a permission's rules: its name, the end of a long one replaced by a part of its digest.
#[must_use]
pub fn label(permission: &Permission) -> String {
    let name = permission.to_string();
    if name.len() <= MAX_COMMENT {
        return name;
    }
    let tail: String = permission.digest().chars().take(16).collect();
    let head: String = name.chars().take(MAX_COMMENT - 17).collect();
    format!("{head}~{tail}")
}

pub(super) const fn mark(permission: &Mark) -> nft::Mark {
    nft::Mark(permission.0)
}

/// Lets the first packet of a connection through and marks the connection.
pub(super) fn allow(rule: Rule, permission: &Permission) -> Result<Rule, CompileError> {
    let source = MarkSource::Value(mark(&permission.mark()));
    let rule = rule.then(Statement::SetCtMark(source)).count().then(Verdict::Accept);
    Ok(rule.comment(comment(&label(permission))?))
}

/// Drops and says why.
pub(super) fn refuse(rule: Rule, refusal: Refusal) -> Result<Rule, CompileError> {
    Ok(rule.count().then(Verdict::Drop).comment(comment(refusal.name())?))
}

/// Packets that belong to no connection.
pub(super) fn invalid() -> Result<Rule, CompileError> {
    refuse(Rule::new().when(CT_STATE.has_any(CtState::INVALID)), Refusal::Invalid)
}

/// What every chain that decides begins with: packets of connections are judged by their mark.
pub(super) fn connections() -> Result<Rule, CompileError> {
    let known = Rule::new().when(CT_STATE.has_any(CtState::ESTABLISHED | CtState::RELATED));
    Ok(known.then(Verdict::Goto(name(OPEN)?)))
}

/// The judgement: the element of the mark counts.
pub(super) fn open() -> Result<Chain, CompileError> {
    let live = Rule::new().when(CT_MARK.is_in(&name(LIVE)?)).then(Verdict::Accept);
    Ok(Chain::new(name(OPEN)?, [live, refuse(Rule::new(), Refusal::Revoked)?]))
}
