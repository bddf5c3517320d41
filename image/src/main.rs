//! `hearth-image`: builds an image from programs that are already built, and prints manifests. Most people want `cargo xtask image`.

use anyhow::Context;
use clap::Parser;
use clap::Subcommand;
use image::BuildInputs;
use image::manifest;
use image::parts::Choice;
use image::parts::buildroot::Output;
use image::policy::PolicySigner;
use image::progress::Progress;
use image::root::Programs;
use image::sign::Signer;
use image::updates::UpdateSource;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

/// Builds Hearth images.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// The repository.
    #[arg(long, default_value = ".")]
    repo: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the expanded manifest of a board.
    Manifest {
        /// Name of the board.
        #[arg(long)]
        board: String,
    },
    /// Build an image from the distribution's packages.
    Build(Box<Build>),
    /// Build an image from what Buildroot made.
    FromBuildroot(Box<FromBuildroot>),
}

#[derive(Debug, clap::Args)]
struct Build {
    /// Static init.
    #[arg(long)]
    init: PathBuf,
    /// Container daemon.
    #[arg(long)]
    containerd_lite: PathBuf,
    /// Network daemon.
    #[arg(long)]
    netd: PathBuf,
    /// Host daemon.
    #[arg(long)]
    hostd: PathBuf,
    /// Storage daemon.
    #[arg(long)]
    storaged: PathBuf,
    /// Writer of update slots.
    #[arg(long)]
    installer: PathBuf,
    /// Starter of containers.
    #[arg(long)]
    containerd_lite_run: PathBuf,
    /// Unpacker of images of apps.
    #[arg(long)]
    containerd_lite_unpack: PathBuf,
    /// Static first process of containers.
    #[arg(long)]
    app_init: PathBuf,
    /// Take the newest packages instead of those of the last build.
    #[arg(long)]
    newest: bool,
    #[command(flatten)]
    image: Image,
}

#[derive(Debug, clap::Args)]
struct FromBuildroot {
    /// The folder that was given to Buildroot as `O=`.
    #[arg(long)]
    output: PathBuf,
    #[command(flatten)]
    image: Image,
}

/// What all images need, whatever they are made from.
#[derive(Debug, clap::Args)]
struct Image {
    /// Name of the board.
    #[arg(long)]
    board: String,
    /// Version of the image.
    #[arg(long, default_value = env!("CARGO_PKG_VERSION"))]
    version: String,
    /// The built console.
    #[arg(long)]
    console: PathBuf,
    /// Folder for the results, by default `target/hearth/<board>` in the repository.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Key that signs the slot and the loader (PEM, PKCS #8).
    #[arg(long, requires = "certificate")]
    key: Option<PathBuf>,
    /// Its certificate (PEM).
    #[arg(long, requires = "key")]
    certificate: Option<PathBuf>,
    /// Key that approves what the slot measures (P-256, PEM, PKCS #8); without it a development key is made and kept.
    #[arg(long)]
    policy_key: Option<PathBuf>,
    #[command(flatten)]
    updates: Updates,
}

/// Where boxes with the image take updates from; without it a development key is made, kept and trusted.
#[derive(Debug, clap::Args)]
struct Updates {
    /// First list of trusted keys of the repository (`metadata/1.root.json`).
    #[arg(long, requires = "update_url")]
    update_root: Option<PathBuf>,
    /// Address of the repository, `https://…/`.
    #[arg(long, requires = "update_root")]
    update_url: Option<String>,
    /// Which of the repository's channels boxes follow.
    #[arg(long, default_value = "stable")]
    update_channel: String,
}

impl Updates {
    fn source(&self) -> anyhow::Result<Option<UpdateSource>> {
        let (Some(root), Some(url)) = (&self.update_root, &self.update_url) else { return Ok(None) };
        Ok(Some(UpdateSource::load(root, url, &self.update_channel)?))
    }
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    match args.command {
        Command::Manifest { board } => {
            let manifest = manifest::load(&args.repo.join("board-configs"), &board)?;
            let mut text = serde_json::to_vec_pretty(&manifest)?;
            text.push(b'\n');
            io::stdout().write_all(&text).context("cannot print the manifest")
        }
        Command::Build(build) => {
            let programs = Programs {
                containerd_lite: build.containerd_lite.clone(),
                init: build.init.clone(),
                netd: build.netd.clone(),
                hostd: build.hostd.clone(),
                storaged: build.storaged.clone(),
                installer: build.installer.clone(),
                containerd_lite_run: build.containerd_lite_run.clone(),
                containerd_lite_unpack: build.containerd_lite_unpack.clone(),
                app_init: build.app_init.clone(),
            };
            let choice = if build.newest { Choice::Newest } else { Choice::Kept };
            run(&args.repo, &build.image, &programs, choice, None)
        }
        Command::FromBuildroot(build) => {
            let output = Output::new(&build.output);
            run(&args.repo, &build.image, &output.programs(), Choice::Kept, Some(&output))
        }
    }
}

fn run(
    repo: &Path,
    image: &Image,
    programs: &Programs,
    choice: Choice,
    buildroot: Option<&Output>,
) -> anyhow::Result<()> {
    let hearth = repo.join("target/hearth");
    let out = image.out.clone().unwrap_or_else(|| hearth.join(&image.board));
    let signer = match (&image.key, &image.certificate) {
        (Some(key), Some(certificate)) => Some(Signer::load(key, certificate)?),
        _ => None,
    };
    let policy = image.policy_key.as_deref().map(PolicySigner::load).transpose()?;
    let updates = image.updates.source()?;
    let inputs = BuildInputs {
        repo,
        board: &image.board,
        version: &image.version,
        out: &out,
        cache: &hearth.join("parts-cache"),
        programs,
        console: &image.console,
        choice,
        signer: signer.as_ref(),
        policy: policy.as_ref(),
        updates: updates.as_ref(),
        progress: &Lines,
    };
    let built = match buildroot {
        Some(output) => image::build_from_buildroot(&inputs, output)?,
        None => image::build(&inputs)?,
    };
    writeln!(io::stdout(), "{}", built.image.display()).context("cannot print the result")
}

/// Steps as lines; the bars are drawn by `cargo xtask image`.
#[derive(Debug)]
struct Lines;

impl Progress for Lines {
    fn step(&self, what: &str) {
        // Nobody may be reading; the build goes on.
        drop(writeln!(io::stderr(), "{what}"));
    }

    fn permille(&self, _done: u32) {}
}
