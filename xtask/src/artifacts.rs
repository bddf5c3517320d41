//! `cargo xtask image`: builds the programs and the console, and hands them to the image builder.

use crate::bars::Bars;
use crate::command::repository;
use crate::command::target;
use crate::console;
use crate::host_packages;
use crate::host_packages::say;
use crate::programs;
use crate::toolchain::Toolchain;
use anyhow::Result;
use clap::Args;
use image::BuildInputs;
use image::BuiltImage;
use image::parts::Choice;
use image::policy::PolicySigner;
use image::sign::Signer;
use image::updates::UpdateSource;
use std::path::PathBuf;

/// Which image.
#[derive(Args, Clone, Debug)]
pub(crate) struct ImageArguments {
    /// Board, as named in board-configs
    #[arg(long, default_value = "x86_64")]
    pub(crate) board: String,
    /// Takes the newest distribution packages instead of those of the last build
    #[arg(long)]
    newest: bool,
    /// Key that signs slot and loader for Secure Boot (PEM, PKCS #8)
    #[arg(long, requires = "certificate")]
    key: Option<PathBuf>,
    /// Its certificate (PEM)
    #[arg(long, requires = "key")]
    certificate: Option<PathBuf>,
    /// Key that approves what the slot measures (P-256, PEM, PKCS #8); without it a development key is made and kept
    #[arg(long)]
    policy_key: Option<PathBuf>,
    /// First list of keys that updates are trusted by (`metadata/1.root.json`); without it a development key is made and kept
    #[arg(long, requires = "update_url")]
    update_root: Option<PathBuf>,
    /// Where boxes find updates, `https://…/`
    #[arg(long, requires = "update_root")]
    update_url: Option<String>,
    /// Which channel of updates boxes follow
    #[arg(long, default_value = "stable")]
    update_channel: String,
}

impl Default for ImageArguments {
    fn default() -> Self {
        Self::of_board("x86_64")
    }
}

impl ImageArguments {
    /// The image of a board as it is developed.
    pub(crate) fn of_board(board: &str) -> Self {
        Self {
            board: board.to_owned(),
            newest: false,
            key: None,
            certificate: None,
            policy_key: None,
            update_root: None,
            update_url: None,
            update_channel: "stable".to_owned(),
        }
    }
}

/// Builds everything that the board's image needs, and the image.
///
/// # Errors
/// When a program, the console or the image cannot be built; the text says what to do.
pub(crate) fn image(arguments: &ImageArguments) -> Result<BuiltImage> {
    host_packages::ensure(&[host_packages::IMAGE])?;
    host_packages::ensure_lists()?;
    let choice = if arguments.newest { Choice::Newest } else { Choice::Kept };
    let toolchain = Toolchain::of_board(&arguments.board, choice)?;
    let programs = programs::build(&toolchain)?;
    let console = console::build()?;
    let signer = match (&arguments.key, &arguments.certificate) {
        (Some(key), Some(certificate)) => Some(Signer::load(key, certificate)?),
        _ => None,
    };
    let policy = arguments.policy_key.as_deref().map(PolicySigner::load).transpose()?;
    let updates = match (&arguments.update_root, &arguments.update_url) {
        (Some(root), Some(url)) => Some(UpdateSource::load(root, url, &arguments.update_channel)?),
        _ => None,
    };
    let hearth = target().join("hearth");
    let bars = Bars::new();
    let built = image::build(&BuildInputs {
        repo: &repository(),
        board: &arguments.board,
        version: env!("CARGO_PKG_VERSION"),
        out: &hearth.join(&arguments.board),
        cache: &hearth.join("parts-cache"),
        programs: &programs,
        console: &console,
        choice,
        signer: signer.as_ref(),
        policy: policy.as_ref(),
        updates: updates.as_ref(),
        progress: &bars,
    })?;
    bars.finish();
    say(&format!("built {}", built.image.display()));
    Ok(built)
}
