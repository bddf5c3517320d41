//! Backs up the household in the folder that the first argument names, at the time of the second, and removes old
//! snapshots. For the tests of power cuts: a program of its own can be killed.

#[path = "../it/task.rs"]
mod task;

use backup::Control;
use backup::Keep;
use backup::Scratch;
use std::error::Error;
use std::path::PathBuf;

const KEEP: Keep = Keep { last: 3, daily: 0, weekly: 0, monthly: 0 };

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("which folder?")?);
    let now = arguments.next().and_then(|now| now.into_string().ok()).ok_or("at which time?")?;
    let request = task::request(&folder, now.parse()?, Some(KEEP));
    let scratch = Scratch::open(&folder.join("scratch"))?;
    backup::back_up(&task::owner()?, &task::target(&folder), &request, &scratch, &Control::default())?;
    Ok(())
}
