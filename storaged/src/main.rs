//! The storaged program.

use anyhow::Context as _;
use anyhow::bail;
use model::paths;
use std::path::Path;
use std::process::ExitCode;
use storaged::command;
use storaged::command::Places;
use storaged::command::Verb;
use storaged::tpm::Chip;
use tpm::Tcti;
use tracing_subscriber::EnvFilter;

fn main() -> anyhow::Result<ExitCode> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_unset| EnvFilter::new("info")))
        .with_writer(std::io::stderr)
        .without_time()
        .with_ansi(false)
        .init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (verb, device) = match arguments[..] {
        ["make", device] => (Verb::Make, device),
        ["open", device] => (Verb::Open, device),
        _ => bail!("usage: storaged make DEVICE | storaged open DEVICE"),
    };
    let places = Places { boot: Path::new("/boot"), run: Path::new(paths::STORAGE_RUN) };
    let chip = Chip::new(Tcti::default(), Path::new(paths::MEASURED));
    let ending = command::run(verb, Path::new(device), places, chip).context("leave a report")?;
    Ok(ExitCode::from(ending.status()))
}
