//! The installer program; PID 1 starts it.

#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;

use installer::confined;
use installer::guard;
use installer::guard::GuardError;
use installer::places::Places;
use installer::verb::Verb;
use installer::words;
use installer::work::Outcome;
use model::update::STATUS_BUSY;
use model::update::STATUS_RESTART;
use model::update::STATUS_TRY_OTHER;

/// Where it lies in the root image.
const PROGRAM: &str = "/usr/lib/hearth/installer";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if arguments == [confined::WORD] {
        return match confined::run() {
            Ok(Outcome::Done) => ExitCode::SUCCESS,
            Ok(Outcome::Restart) => ExitCode::from(STATUS_RESTART),
            Ok(Outcome::TryOther) => ExitCode::from(STATUS_TRY_OTHER),
            Err(error) => failed(&words::chain(&error)),
        };
    }
    let Some(verb) = Verb::parse(&arguments) else {
        return failed(
            "usage: installer booted | install VERSION --order automatic|asked|asked-lower --from network|bundle | restart | confirmed | failed WHY | loader | look",
        );
    };
    match guard::run(&Places::default(), Path::new(PROGRAM), verb) {
        Ok(status) => {
            status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
        }
        Err(error @ GuardError::Busy) => {
            guard::note(&error.to_string());
            ExitCode::from(STATUS_BUSY)
        }
        Err(error) => {
            guard::note(&words::chain(&error));
            failed(&words::chain(&error))
        }
    }
}

/// The confined half cannot reach the kernel's log; what it has to say stands in the report.
#[expect(clippy::print_stderr, reason = "for whoever starts it by hand")]
fn failed(text: &str) -> ExitCode {
    eprintln!("installer: {text}");
    ExitCode::FAILURE
}
