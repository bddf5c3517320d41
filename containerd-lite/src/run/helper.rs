//! The program `containerd-lite-run`: starts one container, or runs one program in one, and ends.
//!
//! libcontainer wants a process of its own with one thread: it changes the working folder, makes the process undumpable and runs code after
//! `clone3`. And what joins a container must have nothing of the daemon's with it.
//!
//! ```text
//!  daemon                      containerd-lite-run                        container
//!  one order, one line   ──►   ids: a child for the mapping
//!                              mount namespace of its own: stage, layers and volumes with mapped ids, overlay
//!                              libcontainer: create            ──►        namespaces, mounts, capabilities, system calls
//!                              record, then start              ──►        /.hearth/init, then the app
//!  one answer, one line  ◄──   ends; its mounts go with it
//! ```

mod executor;
mod ids;
mod inside;
mod stage;
mod start;
pub(super) mod tree;

use super::order::Answer;
use super::order::MAX_LINE;
use super::order::Order;
use super::user::UserError;
use anyhow::Context as _;
use rustix::process::DumpableBehavior;
use std::io::BufRead as _;
use std::io::Read as _;
use std::io::Write as _;

/// It cannot be done with this image or specification, however often it is tried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
struct Impossible(String);

/// Runs the program; for its `main` only, in a process with one thread.
///
/// # Errors
/// When the daemon does not keep to the protocol. What cannot be done is an answer.
pub fn run() -> anyhow::Result<()> {
    // Its memory and descriptors are nobody's business, least of all a container's that it joins.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).context("close the process")?;
    let mut line = String::new();
    std::io::stdin().lock().take(MAX_LINE).read_line(&mut line).context("read the order")?;
    let order = serde_json::from_str(&line).context("understand the order")?;
    let answer = carry_out(&order).unwrap_or_else(|error| failure(&error));
    let mut line = serde_json::to_string(&answer).context("write the answer")?;
    line.push('\n');
    std::io::stdout().write_all(line.as_bytes()).context("answer")
}

fn carry_out(order: &Order) -> anyhow::Result<Answer> {
    match order {
        Order::Start { id, init, start } => start::start(id, init, start).map(|()| Answer::Started),
        Order::Inside(inside) => inside::run(inside),
    }
}

fn failure(error: &anyhow::Error) -> Answer {
    let is_impossible = error.chain().any(|cause| cause.is::<Impossible>() || cause.is::<UserError>());
    let text = format!("{error:#}");
    if is_impossible { Answer::Impossible(text) } else { Answer::Failed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::user;

    #[test]
    fn what_the_image_is_at_fault_for_is_not_tried_again() {
        let unknown = user::find("nobody", "", "").map(|_| ()).context("find the user").unwrap_err();
        assert!(matches!(failure(&unknown), Answer::Impossible(text) if text.contains("no user \"nobody\"")));
        assert!(matches!(failure(&anyhow::anyhow!("busy")), Answer::Failed(text) if text == "busy"));
    }
}
