//! Lists the targets, or gives the named one to libFuzzer, whose arguments stand in `BOLERO_LIBFUZZER_ARGS`.
//!
//! The engine is there in builds by `cargo xtask fuzz` only, which sets `cfg(fuzzing_libfuzzer)`.

use fuzz::Target;
use std::process::ExitCode;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the list and the refusal are made to be read")]
fn main() -> ExitCode {
    let Some(name) = std::env::args().nth(1) else {
        for target in fuzz::targets() {
            println!("{} {} ({})", target.name, target.longest, target.source);
        }
        return ExitCode::SUCCESS;
    };
    let Some(target) = fuzz::find(&name) else {
        eprintln!("there is no target {name}");
        return ExitCode::FAILURE;
    };
    drive(target)
}

#[cfg(fuzzing_libfuzzer)]
fn drive(target: &'static Target) -> ExitCode {
    use bolero_engine::Engine;
    use bolero_engine::driver::Options;
    use bolero_libfuzzer::LibFuzzerEngine;

    // A broken input is kept as it was found: libFuzzer has a better way to make it smaller.
    let options = Options::default().with_shrink_time(std::time::Duration::ZERO).with_max_len(target.longest);
    let run = target.run;
    LibFuzzerEngine::default().run(move |bytes: &[u8]| run(bytes), options);
    ExitCode::SUCCESS
}

#[cfg(not(fuzzing_libfuzzer))]
#[expect(clippy::print_stderr, reason = "the refusal is made to be read")]
fn drive(target: &Target) -> ExitCode {
    eprintln!("{} is given to the fuzzer by `cargo xtask fuzz {}`", target.name, target.name);
    ExitCode::FAILURE
}
