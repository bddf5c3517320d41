//! The storaged program.

use anyhow::Context as _;
use anyhow::bail;
use hostapi::activation::Sockets;
use hostapi::storage1::Callers;
use model::paths;
use std::path::Path;
use std::process::ExitCode;
use storaged::boot_key::BootKey;
use storaged::command;
use storaged::command::Verb;
use storaged::daemon;
use storaged::daemon::Settings;
use storaged::erase;
use storaged::health::Gauge;
use storaged::health::Places;
use storaged::keeper::Keeper;
use storaged::key_tree::Folder;
use storaged::luks::Luks;
use storaged::notes::Notes;
use storaged::tpm::Chip;
use storaged::tpm::Moment;
use tpm::Tcti;
use tracing_subscriber::EnvFilter;

fn main() -> anyhow::Result<ExitCode> {
    // Before anything else runs: it takes variables out of the environment, which is only sound with one thread.
    let sockets = Sockets::from_env();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_unset| EnvFilter::new("info")))
        .with_writer(std::io::stderr)
        .without_time()
        .with_ansi(false)
        .init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let boot = Path::new("/boot");
    let notes = Notes::in_folder(Path::new(paths::STORAGE_RUN));
    let chip = |moment| Chip::new(Tcti::default(), Path::new(paths::MEASURED), moment);
    let (verb, device) = match arguments[..] {
        ["make", device] => (Verb::Make, device),
        ["open", device] => (Verb::Open, device),
        ["erase", device] => {
            let device = Path::new(device);
            erase::erase(&Luks::on(device), &BootKey::on(boot), device)
                .context("erase the data partition")?;
            return Ok(ExitCode::SUCCESS);
        }
        ["serve"] => return serve(notes, chip(Moment::Running), sockets).map(|()| ExitCode::SUCCESS),
        _ => bail!(
            "usage: storaged make DEVICE | storaged open DEVICE | storaged erase DEVICE | storaged serve"
        ),
    };
    let ending = command::run(verb, Path::new(device), boot, &notes, chip(Moment::Opening))
        .context("leave a report")?;
    Ok(ExitCode::from(ending.status()))
}

fn serve(notes: Notes, chip: Chip, mut sockets: Sockets) -> anyhow::Result<()> {
    let bus_socket = sockets.take_unix("storage1").context("take the bus socket from PID 1")?;
    let gauge = Gauge::new(notes.clone(), Places::default());
    let own_keys = Folder::at(Path::new(paths::STORAGED_STATE));
    let keeper = Keeper::begin(notes, chip, own_keys, Luks::on).context("see how the data partition is")?;
    let settings = Settings {
        callers: Callers::default(),
        control: paths::CONTROL_SOCKET.into(),
        boot_report: paths::BOOT_REPORT.into(),
    };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    runtime.block_on(daemon::run(keeper, gauge, settings, bus_socket))?;
    Ok(())
}
