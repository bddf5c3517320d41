//! The whole way from a board's name to a bootable disk image.
//!
//! ```text
//! manifest ─ parts ─ modules ─ root tree ─ root.erofs ─ initrd ─ slot.efi ─ hearth.img ─ hearth.img.bmap, hearth.img.zst
//! ```
//! Everything is written to `<out>/`, what a slot is made from to `<out>/parts/`. The results depend on the inputs only: no clock, no
//! random number, no machine name.

mod block_map;
mod boot;
pub mod record;

use crate::cpio::CpioError;
use crate::digest::Sha256;
use crate::disk::DiskError;
use crate::disk::Loader;
use crate::erofs;
use crate::erofs::ErofsError;
use crate::manifest;
use crate::manifest::Arch;
use crate::manifest::Boot;
use crate::manifest::Manifest;
use crate::manifest::ManifestError;
use crate::measure::MeasureError;
use crate::modules::Providers;
use crate::modules::SelectError;
use crate::modules::Selection;
use crate::modules::index;
use crate::modules::index::IndexError;
use crate::overlays::OverlayError;
use crate::own_modules;
use crate::own_modules::OwnModuleError;
use crate::parts::Choice;
use crate::parts::PartSet;
use crate::parts::PartsError;
use crate::parts::Request;
use crate::parts::buildroot::Output;
use crate::pe::PeError;
use crate::policy::PolicyError;
use crate::policy::PolicySigner;
use crate::progress::Progress;
use crate::root;
use crate::root::Programs;
use crate::root::RootError;
use crate::root::RootInputs;
use crate::sbom;
use crate::sbom::SbomError;
use crate::sign::SignError;
use crate::sign::Signer;
use crate::slot;
use crate::slot::SlotError;
use crate::slot::SlotParts;
use crate::updates::UpdateSource;
use crate::updates::UpdatesError;
use slots::VersionError;
use std::collections::BTreeSet;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

/// Of the downloadable image: most of it is compressed already, higher levels gain nothing.
const ZSTD_LEVEL: i32 = 6;

/// What to build.
#[derive(Clone, Copy, Debug)]
pub struct BuildInputs<'a> {
    /// The repository: `board-configs/` and the crates for the bill of materials.
    pub repo: &'a Path,
    /// Board, by name.
    pub board: &'a str,
    /// Version of the image.
    pub version: &'a str,
    /// Folder for the results.
    pub out: &'a Path,
    /// Folder that keeps fetched packages between builds.
    pub cache: &'a Path,
    /// Our programs, built for the board.
    pub programs: &'a Programs,
    /// The built console (`index.html`, `assets/`).
    pub console: &'a Path,
    /// Whether package versions may change.
    pub choice: Choice,
    /// Signs slot and loader for Secure Boot.
    pub signer: Option<&'a Signer>,
    /// Approves what the slot measures. Without one a key of the cache does, which is for development.
    pub policy: Option<&'a PolicySigner>,
    /// Where boxes take updates from. Without it the development key of the cache is trusted.
    pub updates: Option<&'a UpdateSource>,
    /// Told where the build stands.
    pub progress: &'a dyn Progress,
}

/// What was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltImage {
    /// Folder of the results.
    pub folder: PathBuf,
    /// `hearth.img`
    pub image: PathBuf,
    /// `hearth.img.zst`
    pub compressed: PathBuf,
    /// The update file: `slot.efi`, or `slot.pi`, where slots are partitions. Beside that, the folder `slot` has its files.
    pub slot: PathBuf,
    /// The slot's parts, for variants of it.
    pub parts: SlotParts,
    /// The loader on the image's disk, signed if the slot is.
    pub loader: Option<Loader>,
    /// Size of the EFI system partition, or of each partition with a slot, MiB.
    pub esp_mib: u32,
    /// Size of the data entry, MiB.
    pub data_mib: u32,
    /// Digest of `root.erofs`.
    pub root_sha256: Sha256,
    /// What PCR 11 holds after the slot was started, where something measures it.
    pub pcr_11: Option<pcr::Digest>,
    /// Version of the image.
    pub version: String,
    /// Name of the board.
    pub board: String,
}

/// An image cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The manifest cannot be used.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Packages cannot be had.
    #[error(transparent)]
    Parts(#[from] PartsError),
    /// The kernel's modules cannot be read.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The list of modules cannot be resolved.
    #[error(transparent)]
    Modules(#[from] SelectError),
    /// A module of our own cannot be made.
    #[error(transparent)]
    OwnModule(#[from] OwnModuleError),
    /// An overlay of the device tree cannot be made.
    #[error(transparent)]
    Overlay(#[from] OverlayError),
    /// The root cannot be put together.
    #[error(transparent)]
    Root(#[from] RootError),
    /// The root cannot be packed.
    #[error(transparent)]
    Erofs(#[from] ErofsError),
    /// The slot cannot be built.
    #[error(transparent)]
    Slot(#[from] SlotError),
    /// The policy key cannot be used.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The keys of updates cannot be used.
    #[error(transparent)]
    Updates(#[from] UpdatesError),
    /// What the slot measures cannot be told.
    #[error(transparent)]
    Measure(#[from] MeasureError),
    /// The update file cannot be written.
    #[error("cannot put a slot's files into an archive")]
    Archive(#[source] CpioError),
    /// The loader cannot be signed.
    #[error("cannot sign the loader")]
    SignLoader(#[source] SignError),
    /// The disk cannot be written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// What of the disk image has to be written cannot be told.
    #[error("cannot map {path}")]
    BlockMap {
        /// The image.
        path: PathBuf,
        /// Cause.
        #[source]
        source: flash::used::UsedError,
    },
    /// The bill of materials cannot be made.
    #[error(transparent)]
    Sbom(#[from] SbomError),
    /// A file cannot be read or written.
    #[error("cannot use {path}")]
    File {
        /// File or folder.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The version is none that a label can have.
    #[error("{version:?} is no version that a slot can have")]
    Version {
        /// As given.
        version: String,
        /// Cause.
        #[source]
        source: VersionError,
    },
    /// A record cannot be written as JSON.
    #[error("cannot write {name}")]
    Json {
        /// File name.
        name: &'static str,
        /// Cause.
        #[source]
        source: serde_json::Error,
    },
    /// Kernel, stub or loader cannot be read.
    #[error("cannot read {path}")]
    Pe {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: PeError,
    },
    /// Kernel, stub or loader is of another architecture than the board: firmware would not start it.
    #[error("{path} is for machines of type {found:#06x}, not for the board's, {wanted:#06x}")]
    WrongMachine {
        /// The file.
        path: PathBuf,
        /// What it is for.
        found: u16,
        /// What the board is.
        wanted: u16,
    },
    /// A board for UEFI without a loader.
    #[error("the board has no loader")]
    NoLoader,
    /// The machine that builds has an architecture we know no tools for.
    #[error("no images can be built on this architecture")]
    Machine,
}

/// The packages of a build.
struct Fetched {
    board: PartSet,
    tools: PartSet,
}

/// The kernel's modules of a build.
struct Chosen {
    folder: PathBuf,
    release: String,
    root: Selection,
    initrd: Selection,
}

/// Builds the image.
///
/// # Errors
/// When anything on the way fails; the message says what to do where something can be done.
pub fn build(inputs: &BuildInputs<'_>) -> Result<BuiltImage, BuildError> {
    let manifest = manifest::load(&inputs.repo.join("board-configs"), inputs.board)?;
    let fetched = fetch(&manifest, &absolute(inputs.cache)?, inputs)?;
    build_from(inputs, manifest, &fetched)
}

/// Builds the image from parts that Buildroot made instead of the distribution's packages; everything else is the same.
///
/// # Errors
/// As [`build`]; and when Buildroot left something out.
pub fn build_from_buildroot(inputs: &BuildInputs<'_>, output: &Output) -> Result<BuiltImage, BuildError> {
    let manifest = manifest::load_for_source(&inputs.repo.join("board-configs"), inputs.board)?;
    inputs.progress.step("Laying out what Buildroot made");
    let adopted = output.adopt(&manifest, &inputs.out.join("buildroot")).map_err(PartsError::from)?;
    build_from(inputs, adopted.manifest, &Fetched { board: adopted.board, tools: adopted.tools })
}

fn build_from(
    inputs: &BuildInputs<'_>,
    manifest: Manifest,
    fetched: &Fetched,
) -> Result<BuiltImage, BuildError> {
    let progress = inputs.progress;
    let cache = absolute(inputs.cache)?;
    fs::create_dir_all(&cache).map_err(at(&cache))?;
    progress.step("Resolving kernel modules");
    let chosen = choose_modules(&manifest, &fetched.board, &cache)?;

    let parts = SlotParts::new(&inputs.out.join("parts"));
    let modules = parts.path("modules");
    if modules.exists() {
        fs::remove_dir_all(&modules).map_err(at(&modules))?;
    }
    fs::create_dir_all(&modules).map_err(at(&modules))?;

    let loader = boot::loader(inputs, &manifest, fetched, &parts)?;

    progress.step("Putting the root together");
    let packages = record::shipped(&fetched.board, &manifest);
    let root_record = record::Root::of(inputs.version, &manifest, &packages, &chosen.root, &chosen.release);
    let development;
    let updates = match inputs.updates {
        Some(updates) => updates,
        None => {
            development = UpdateSource::development(&cache, progress)?;
            &development
        }
    };
    let update_files = updates.files().map_err(|source| BuildError::Json { name: "source.json", source })?;
    let stage = inputs.out.join("root");
    root::assemble(
        &stage,
        &RootInputs {
            manifest: &manifest,
            parts: &fetched.board,
            kernel_modules: &chosen.folder,
            release: &chosen.release,
            selection: &chosen.root,
            programs: inputs.programs,
            console: inputs.console,
            version: inputs.version,
            record: &json("manifest.json", &root_record)?,
            update_files: &update_files,
            loader: loader.as_ref(),
        },
    )?;

    progress.step("Packing the root");
    let root_image = parts.path("root.erofs");
    erofs::pack(&stage, &root_image, &manifest.root, &fetched.tools)?;
    let root_sha256 = Sha256::of_file(&root_image).map_err(at(&root_image))?;

    progress.step("Writing the slot file");
    slot_parts(inputs, &manifest, fetched, &chosen, &parts, root_sha256)?;
    let image = inputs.out.join("hearth.img");
    let started = match (&manifest.parts.boot, &loader) {
        (Boot::Pi(pi), _) => {
            let board = boot::PiBoard { manifest: &manifest, pi, fetched, release: &chosen.release };
            boot::write_pi(inputs, board, &parts, &image)?
        }
        (Boot::Uefi(_), loader) => {
            boot::write_uefi(inputs, &manifest, loader.as_ref(), &parts, &cache, &image)?
        }
    };

    let map = inputs.out.join("hearth.img.bmap");
    block_map::write(&image, &map)?;

    progress.step("Compressing the disk image");
    let compressed = inputs.out.join("hearth.img.zst");
    compress(&image, &compressed, progress)?;

    progress.step("Writing the bill of materials");
    let sbom = sbom::document(inputs.repo, inputs.version, &manifest, &packages)?;
    write(&inputs.out.join("sbom.spdx.json"), &json("sbom.spdx.json", &sbom)?)?;
    let sbom = inputs.out.join("sbom.spdx.json");
    let written = [&image, &compressed, &map].into_iter().chain(&started.files).chain([&root_image, &sbom]);
    let files = record::files(&written.map(PathBuf::as_path).collect::<Vec<_>>())
        .map_err(|(path, source)| BuildError::File { path, source })?;
    let image_record = record::Image {
        root: &root_record,
        root_sha256,
        approval: started.approval,
        tools: record::all(&fetched.tools),
        files,
    };
    write(&inputs.out.join("manifest.json"), &json("manifest.json", &image_record)?)?;
    Ok(BuiltImage {
        folder: inputs.out.to_owned(),
        image,
        compressed,
        slot: started.slot,
        parts,
        loader,
        esp_mib: manifest.disk.esp_mib,
        data_mib: manifest.disk.data_mib,
        root_sha256,
        pcr_11: started.approval.map(|approval| approval.pcr_11),
        version: inputs.version.to_owned(),
        board: manifest.board.name,
    })
}

fn fetch(manifest: &Manifest, cache: &Path, inputs: &BuildInputs<'_>) -> Result<Fetched, BuildError> {
    let parts = &manifest.parts;
    let packages: BTreeSet<String> = parts
        .files
        .keys()
        .chain(&parts.libraries)
        .map(String::as_str)
        .chain(parts.boot.package())
        .map(str::to_owned)
        .collect();
    let board = Request {
        kernel: Some(parts.kernel.clone()),
        kernel_suite: parts.kernel_suite.clone(),
        ..Request::of(manifest.board.arch, parts, packages.into_iter().collect())
    };
    let board = PartSet::prepare(cache, &board, inputs.choice, inputs.progress)?;
    let sources = inputs.repo.join("image/modules");
    let means =
        own_modules::Means { sources: &sources, cache, choice: inputs.choice, progress: inputs.progress };
    let kernel = own_modules::add(means, manifest, board.kernel()?)?;
    Ok(Fetched {
        board: board.with_kernel(kernel),
        tools: tools(manifest, cache, inputs.choice, inputs.progress)?,
    })
}

/// The programs that run while building.
pub(crate) fn tools(
    manifest: &Manifest,
    cache: &Path,
    choice: Choice,
    progress: &dyn Progress,
) -> Result<PartSet, BuildError> {
    let machine = Arch::of_machine().ok_or(BuildError::Machine)?;
    let parts = &manifest.parts;
    // Tools are of the sections that every machine has.
    let request = Request { sections: Vec::new(), ..Request::of(machine, parts, parts.tools.clone()) };
    Ok(PartSet::prepare(&absolute(cache)?, &request, choice, progress)?)
}

fn choose_modules(manifest: &Manifest, parts: &PartSet, cache: &Path) -> Result<Chosen, BuildError> {
    let kernel = parts.kernel()?;
    // The folder's name changes with modules of our own, the package's digest with all others.
    let name = kernel.folder.file_name().unwrap_or_default().to_string_lossy();
    let mut digest = Sha256::of(format!("{} {name}", kernel.package.sha256).as_bytes()).to_string();
    digest.truncate(16);
    let index = index::load(&kernel.folder, &cache.join(format!("modules-{digest}.json")))?;
    let (folder, release) = index::folder(&kernel.folder)?;
    Ok(Chosen {
        folder,
        release,
        root: index.select(&manifest.kernel.all_modules(), Providers::All)?,
        initrd: index.select(&manifest.kernel.initrd_modules, Providers::Unconditional)?,
    })
}

/// Writes everything in `parts/` but the root and the loader.
fn slot_parts(
    inputs: &BuildInputs<'_>,
    manifest: &Manifest,
    fetched: &Fetched,
    chosen: &Chosen,
    parts: &SlotParts,
    root: Sha256,
) -> Result<(), BuildError> {
    let mut programs = vec![("vmlinuz", boot::kernel(fetched.board.kernel()?, &chosen.release)?)];
    if let Boot::Uefi(uefi) = &manifest.parts.boot {
        programs.push(("stub.efi", fetched.board.get(&uefi.package)?.file(&uefi.stub)?));
    }
    for (name, from) in programs {
        write(&parts.path(name), &boot::read_for(manifest.board.arch, &from)?)?;
    }
    let init = &inputs.programs.init;
    write(&parts.path("init"), &fs::read(init).map_err(at(init))?)?;
    let mut order = String::new();
    for module in &chosen.initrd.modules {
        let name = module.file_name();
        write(
            &parts.path(&format!("modules/{name}")),
            &index::module_bytes(&chosen.folder.join(&module.path))?,
        )?;
        order.push_str(&name);
        order.push('\n');
    }
    let words: Vec<String> = manifest.kernel.cmdline.iter().map(|word| word.value.clone()).collect();
    let cmdline = slot::cmdline(&words, root, inputs.version, inputs.board);
    let os_release = root::etc::os_release(inputs.version, inputs.board);
    for (name, text) in [
        ("modules/order", &order),
        ("cmdline", &format!("{cmdline}\n")),
        ("os-release", &os_release),
        ("uname", &chosen.release),
    ] {
        write(&parts.path(name), text.as_bytes())?;
    }
    write(&parts.path("initrd"), &slot::build_initrd(parts, None, &[])?)
}

fn compress(image: &Path, compressed: &Path, progress: &dyn Progress) -> Result<(), BuildError> {
    let mut from = File::open(image).map_err(at(image))?;
    let size = from.metadata().map_err(at(image))?.len().max(1);
    let to = File::create(compressed).map_err(at(compressed))?;
    let error = at(compressed);
    let mut encoder = zstd::Encoder::new(to, ZSTD_LEVEL).map_err(&error)?;
    // Two workers whatever the machine has: the same bytes everywhere.
    encoder.multithread(2).map_err(&error)?;
    encoder.include_checksum(true).map_err(&error)?;
    encoder.long_distance_matching(true).map_err(&error)?;
    let mut buffer = vec![0; 1 << 20];
    let mut done = 0;
    loop {
        let count = from.read(&mut buffer).map_err(at(image))?;
        if count == 0 {
            break;
        }
        encoder.write_all(buffer.get(..count).unwrap_or_default()).map_err(&error)?;
        done += u64::try_from(count).unwrap_or(0);
        progress.permille(u32::try_from(done * 1000 / size).unwrap_or(1000));
    }
    encoder.finish().and_then(|file| file.sync_all()).map_err(error)
}

fn json<T: serde::Serialize>(name: &'static str, value: &T) -> Result<Vec<u8>, BuildError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|source| BuildError::Json { name, source })?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    fs::write(path, bytes).map_err(at(path))
}

fn absolute(path: &Path) -> Result<PathBuf, BuildError> {
    std::path::absolute(path).map_err(at(path))
}

fn at(path: &Path) -> impl Fn(io::Error) -> BuildError {
    move |source| BuildError::File { path: path.to_owned(), source }
}
