//! `cargo xtask run`: builds the image and boots it as an owner would see it.

use crate::artifacts;
use crate::artifacts::ImageArguments;
use crate::bars::Bars;
use crate::command::target;
use crate::host_packages;
use crate::programs;
use crate::toolchain::Toolchain;
use anyhow::Context;
use anyhow::Result;
use clap::Args;
use image::parts::Choice;
use image::progress::Progress;
use qemu_tests::Artifacts;
use qemu_tests::Boot;
use qemu_tests::Vm;
use qemu_tests::VmBuilder;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

/// Ports tried first, so that the address stays the same from run to run.
const PREFERRED_PORTS: [u16; 2] = [8080, 8443];

/// How to run.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch on the command line")]
pub(crate) struct RunArguments {
    #[command(flatten)]
    image: ImageArguments,
    /// Hands kernel and initrd to QEMU: no firmware, no loader, no TPM, up in seconds
    #[arg(long)]
    kernel_boot: bool,
    /// Boots the disk of the last run again instead of a fresh one
    #[arg(long)]
    keep: bool,
    /// Memory of the machine in MiB
    #[arg(long, default_value_t = 512)]
    memory: u32,
    /// Shows everything the box writes to its serial console
    #[arg(long)]
    serial: bool,
    /// Stops as soon as the page answers (to try the whole chain)
    #[arg(long)]
    once: bool,
}

/// Builds, boots, prints where to go, and waits until the box is switched off.
///
/// # Errors
/// When a package is missing, the build fails, or the box does not come up.
pub(crate) fn run(arguments: &RunArguments) -> Result<()> {
    artifacts::image(&arguments.image)?;
    let toolchain = Toolchain::of_board(&arguments.image.board, Choice::Kept)?;
    host_packages::ensure(&[host_packages::MACHINE, host_packages::machine(toolchain.arch())])?;
    programs::build_agent(&toolchain)?;
    let bars = Arc::new(Bars::new());
    let (mut vm, lines) = start(arguments, &bars)?;
    let shown = boot(&vm, &bars, &lines)?;
    bars.finish();
    tell(&shown);
    if arguments.once {
        return Ok(());
    }
    follow(&mut vm, &lines)
}

/// What the owner needs to know.
struct Shown {
    state: String,
    claim_code: Option<String>,
    https: u16,
    http: u16,
}

fn start(arguments: &RunArguments, bars: &Arc<Bars>) -> Result<(Vm, mpsc::Receiver<String>)> {
    let artifacts = Artifacts::of_board(&arguments.image.board)?;
    let folder = target().join("hearth").join(&arguments.image.board).join("run");
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let [http, https] = PREFERRED_PORTS.map(free_or_any);
    let (sender, lines) = mpsc::sync_channel(4096);
    let (shows_all, writer) = (arguments.serial, Arc::clone(bars));
    let mut builder = VmBuilder::new(&folder, &artifacts)
        .memory(arguments.memory)
        .ports(http, https)
        .on_line(move |line| {
            if shows_all {
                writer.line(line);
            }
            // A full queue means that nobody waits for lines any more.
            drop(sender.try_send(line.to_owned()));
        });
    if !arguments.kernel_boot {
        builder = builder.boot(Boot::Uefi).tpm();
    }
    let disk = folder.join("disk.img");
    if arguments.keep && disk.is_file() {
        builder = builder.disk(&disk);
    }
    bars.step(if arguments.kernel_boot { "starting the kernel" } else { "starting firmware and loader" });
    Ok((builder.start()?, lines))
}

/// Turns console lines into steps until the box says where it stands and its page answers.
fn boot(vm: &Vm, bars: &Bars, lines: &mpsc::Receiver<String>) -> Result<Shown> {
    let mark = vm.mark();
    let mut claim_code = None;
    let state = vm.wait_until("waiting for the box to come up", || {
        while let Ok(line) = lines.recv_timeout(Duration::from_millis(200)) {
            if line.contains("hearth: version=") {
                bars.step("the system is checked and mounted; starting its services");
            } else if let Some(code) = line.split("hearth: claim code: ").nth(1) {
                claim_code = Some(code.trim().to_owned());
            } else if let Some(state) = qemu_tests::guest::parse_state(&line) {
                return Ok(Some(state.state));
            }
        }
        Ok(None)
    })?;
    bars.step("waiting for the page");
    vm.wait_web()?;
    if state == "setup" && claim_code.is_none() {
        claim_code = Some(vm.wait_claim_code(mark)?);
    }
    Ok(Shown { state, claim_code, https: vm.ports().https, http: vm.ports().http })
}

#[expect(clippy::print_stdout, reason = "the answer of the command")]
fn tell(shown: &Shown) {
    println!();
    println!("  Hearth is up (state: {}).", shown.state);
    println!();
    println!("  page         https://localhost:{}/", shown.https);
    println!("  first words  http://localhost:{}/   (explains the browser's warning)", shown.http);
    if let Some(code) = &shown.claim_code {
        println!("  claim code   {code}");
    }
    println!();
    println!("  Ctrl-C ends the machine.");
}

/// Passes on new claim codes and states until the machine ends.
#[expect(clippy::print_stdout, reason = "news from the box")]
fn follow(vm: &mut Vm, lines: &mpsc::Receiver<String>) -> Result<()> {
    loop {
        match lines.recv_timeout(Duration::from_millis(500)) {
            Ok(line) => {
                if let Some(news) = line.find("hearth: ").and_then(|at| line.get(at..)) {
                    println!("  {news}");
                }
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                if vm.is_off()? {
                    println!("  The box has switched itself off.");
                    return Ok(());
                }
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

/// The port itself when nothing listens on it, else 0: any free one.
fn free_or_any(port: u16) -> u16 {
    if TcpListener::bind(("127.0.0.1", port)).is_ok() { port } else { 0 }
}
