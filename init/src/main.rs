//! One program, five lives: stage 1, stage 2, the trampoline of a service, the helpers that bring data up late and end a shutdown.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::process::ExitCode;

use init::backup_disk;
use init::confine;
use init::console;
use init::console::Level;
use init::shutdown;
use init::stage1;
use init::stage2;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if std::process::id() == 1 {
        return pid1(arguments.first());
    }
    match arguments.get(1..).unwrap_or_default() {
        [verb, name] if verb == "service" => {
            let Err(error) = confine::become_service(name);
            report(&console::chain(&error))
        }
        [verb] if verb == "open-data" => match stage2::open_data() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => report(&error.to_string()),
        },
        [verb, words @ ..] if verb == backup_disk::VERB => match backup_disk::run(words) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => report(&console::chain(&error)),
        },
        [verb, what @ ..] if verb == "finish" => {
            if shutdown::sync_and_unmount(what.iter().any(|word| word == shutdown::FACTORY_RESET)) {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        _ => report("init is started by the kernel and by itself only"),
    }
}

/// The kernel starts `/init` of an initramfs; stage 1 starts the copy in the root. The name decides, and not which
/// files are there: an initramfs that lost some must be refused, not taken for a root.
fn pid1(name: Option<&OsString>) -> ExitCode {
    let stage1 = name.is_some_and(|name| name == "/init");
    std::panic::set_hook(Box::new(move |panic| {
        if stage1 {
            stage1::refuse(&panic.to_string());
        } else {
            shutdown::emergency(&panic.to_string());
        }
    }));
    if stage1 {
        console::note(Level::Error, &stage1::run().to_string());
    } else if let Err(error) = stage2::run() {
        shutdown::emergency(&error.to_string());
    }
    // The kernel panics when PID 1 ends, and reboots after `kernel.panic` seconds.
    ExitCode::FAILURE
}

/// The trampoline's standard error is the service's log.
#[expect(clippy::print_stderr, reason = "init reads this as the service's output")]
fn report(text: &str) -> ExitCode {
    eprintln!("{text}");
    ExitCode::FAILURE
}
