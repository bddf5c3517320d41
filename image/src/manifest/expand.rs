//! From a board's name to the whole manifest: finding, inheriting, merging, checking.

use super::Arch;
use super::Board;
use super::Boot;
use super::Disk;
use super::Entry;
use super::Input;
use super::Kernel;
use super::Manifest;
use super::ManifestError;
use super::Parts;
use super::Pi;
use super::Root;
use super::Uefi;
use super::fragment::Fragment;
use super::fragment::Inherit;
use super::fragment::PiPart;
use super::fragment::Text;
use super::fragment::VERSION;
use crate::digest::Sha256;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Component;
use std::path::Path;
use toml::Spanned;

/// Loads the manifest of `board` from the folder `board-configs/`.
///
/// # Errors
/// When there is no such board, a file cannot be read, is wrong, or values are missing.
pub fn load(folder: &Path, board: &str) -> Result<Manifest, ManifestError> {
    load_with(folder, board, Source::Packages)
}

/// The same for an image whose parts are built from source: files that say `packages_only` are left out.
///
/// # Errors
/// As [`load`].
pub fn load_for_source(folder: &Path, board: &str) -> Result<Manifest, ManifestError> {
    load_with(folder, board, Source::Built)
}

/// Where the parts come from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Packages,
    Built,
}

fn load_with(folder: &Path, board: &str, from: Source) -> Result<Manifest, ManifestError> {
    let file = find(folder, board)?;
    let mut walk =
        Walk { folder, from, merged: Merged::default(), inputs: Vec::new(), inherited: BTreeMap::new() };
    walk.take(&file, &mut Vec::new())?;
    walk.merged.finish(&file, board, walk.inputs)
}

/// A board's file is `<architecture>/<board>.toml`.
fn find(folder: &Path, board: &str) -> Result<String, ManifestError> {
    let read = |path: &Path| {
        let error = |source| ManifestError::Read { path: path.to_owned(), source };
        fs::read_dir(path).map_err(error)?.collect::<Result<Vec<_>, _>>().map_err(error)
    };
    let mut known = BTreeMap::new();
    for entry in read(folder)?.iter().filter(|entry| entry.path().is_dir()) {
        for file in read(&entry.path())? {
            if let Some(name) = file.file_name().to_string_lossy().strip_suffix(".toml") {
                known.insert(name.to_owned(), format!("{}/{name}.toml", entry.file_name().to_string_lossy()));
            }
        }
    }
    known.get(board).cloned().ok_or_else(|| ManifestError::UnknownBoard {
        board: board.to_owned(),
        folder: folder.to_owned(),
        known: known.keys().cloned().collect::<Vec<_>>().join(", "),
    })
}

struct Walk<'a> {
    folder: &'a Path,
    from: Source,
    merged: Merged,
    inputs: Vec<Input>,
    /// Each inherited file and who inherited it.
    inherited: BTreeMap<String, String>,
}

impl Walk<'_> {
    /// Takes what `file` inherits, in order, and then the file itself, so that it has the last word.
    fn take(&mut self, file: &str, chain: &mut Vec<String>) -> Result<(), ManifestError> {
        let path = self.folder.join(file);
        let text = fs::read_to_string(&path).map_err(|source| ManifestError::Read { path, source })?;
        let source = Text { file, text: &text };
        let fragment = source.parse()?;
        if fragment.packages_only && self.from == Source::Built {
            return Ok(());
        }
        chain.push(file.to_owned());
        for parent in parents(&source, &fragment)? {
            if chain.contains(&parent) {
                let chain = format!("{} -> {parent}", chain.join(" -> "));
                return Err(ManifestError::Cycle { file: parent, chain });
            }
            if let Some(first) = self.inherited.insert(parent.clone(), file.to_owned()) {
                return Err(ManifestError::Diamond { file: parent, first, second: file.to_owned() });
            }
            self.take(&parent, chain)?;
        }
        chain.pop();
        self.inputs.push(Input { file: file.to_owned(), sha256: Sha256::of(text.as_bytes()) });
        self.merged.add(&source, fragment)
    }
}

fn parents(source: &Text<'_>, fragment: &Fragment) -> Result<Vec<String>, ManifestError> {
    let Some(inherit) = &fragment.inherit else {
        return Ok(Vec::new());
    };
    let parents = match inherit.get_ref() {
        Inherit::One(one) => vec![one.clone()],
        Inherit::Many(many) => many.clone(),
    };
    for parent in &parents {
        if !Path::new(parent).components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(source.wrong(inherit, format!("{parent:?} leads out of the folder of manifests")));
        }
    }
    Ok(parents)
}

/// What the files so far have set.
#[derive(Default)]
struct Merged {
    name: Option<String>,
    arch: Option<Arch>,
    description: Option<String>,
    suites: Vec<String>,
    sections: BTreeSet<String>,
    kernel: Option<String>,
    kernel_suite: Option<String>,
    pi: Option<Pi>,
    boot_package: Option<String>,
    stub: Option<String>,
    loader: Option<String>,
    removable_name: Option<String>,
    installed_name: Option<String>,
    files: BTreeMap<String, Vec<String>>,
    links: BTreeMap<String, String>,
    libraries: BTreeSet<String>,
    tools: BTreeSet<String>,
    build: BTreeSet<String>,
    overlays: Vec<String>,
    cmdline: Vec<Entry>,
    initrd_modules: Vec<Entry>,
    modules: Vec<Entry>,
    own_modules: Vec<Entry>,
    compression: Option<String>,
    module_compression: Option<String>,
    cluster_bytes: Option<u32>,
    esp_mib: Option<u32>,
    data_mib: Option<u32>,
}

impl Merged {
    /// Values of the later file win; lists grow.
    fn add(&mut self, source: &Text<'_>, fragment: Fragment) -> Result<(), ManifestError> {
        if let Some(arch) = &fragment.board.arch {
            let known = Arch::parse(arch.get_ref());
            self.arch = Some(known.ok_or_else(|| source.wrong(arch, "unknown architecture".to_owned()))?);
        }
        set(&mut self.name, fragment.board.name.map(Spanned::into_inner));
        set(&mut self.description, fragment.board.description);
        let parts = fragment.parts;
        for name in parts.suites.iter().chain(&parts.sections).chain(&parts.kernel_suite) {
            // A host name or address here would tie the image to one mirror.
            if !name.get_ref().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
                return Err(source.wrong(name, "a suite is named by a-z, 0-9 and -".to_owned()));
            }
        }
        self.suites.extend(parts.suites.into_iter().map(Spanned::into_inner));
        self.sections.extend(parts.sections.into_iter().map(Spanned::into_inner));
        set(&mut self.kernel_suite, parts.kernel_suite.map(Spanned::into_inner));
        if let Some(part) = parts.pi {
            self.pi = Some(pi(source, part)?);
        }
        for path in parts.boot.stub.iter().chain(&parts.boot.loader).chain(parts.files.values().flatten()) {
            check_package_path(source, path)?;
        }
        set(&mut self.kernel, parts.kernel);
        set(&mut self.boot_package, parts.boot.package);
        set(&mut self.stub, parts.boot.stub.map(Spanned::into_inner));
        set(&mut self.loader, parts.boot.loader.map(Spanned::into_inner));
        set(&mut self.removable_name, parts.boot.removable_name);
        set(&mut self.installed_name, parts.boot.installed_name);
        for (package, files) in parts.files {
            self.files.entry(package).or_default().extend(files.into_iter().map(Spanned::into_inner));
        }
        for (path, target) in parts.links {
            check_package_path(source, &path)?;
            // A link names a file beside it: one that leads elsewhere could lead out of the root.
            if target.get_ref().is_empty() || target.get_ref().contains('/') || target.get_ref() == ".." {
                return Err(source.wrong(&target, "a link leads to the name of a file beside it".to_owned()));
            }
            self.links.insert(path.into_inner(), target.into_inner());
        }
        self.libraries.extend(parts.libraries);
        self.tools.extend(parts.tools);
        self.build.extend(parts.build);
        for name in parts.overlays {
            if name.get_ref().is_empty() || !name.get_ref().bytes().all(|byte| byte.is_ascii_lowercase()) {
                return Err(source.wrong(&name, "an overlay is named by a-z".to_owned()));
            }
            self.overlays.push(name.into_inner());
        }
        for word in &fragment.kernel.cmdline {
            if word.get_ref().is_empty() || !word.get_ref().bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(source.wrong(word, "one word of printable ASCII an entry".to_owned()));
            }
        }
        self.cmdline.extend(source.entries(&fragment.kernel.cmdline));
        for name in &fragment.kernel.without_modules {
            let listed = self.modules.len();
            self.modules.retain(|entry| entry.value != *name.get_ref());
            if self.modules.len() == listed {
                return Err(
                    source.wrong(name, format!("no inherited file lists the module {:?}", name.get_ref()))
                );
            }
        }
        self.initrd_modules.extend(source.entries(&fragment.kernel.initrd_modules));
        self.modules.extend(source.entries(&fragment.kernel.modules));
        for name in &fragment.kernel.own_modules {
            if name.get_ref().is_empty()
                || !name.get_ref().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            {
                return Err(source.wrong(name, "a module of our own is named by a-z and _".to_owned()));
            }
        }
        self.own_modules.extend(source.entries(&fragment.kernel.own_modules));
        set(&mut self.compression, fragment.root.compression);
        set(&mut self.module_compression, fragment.root.module_compression);
        if let Some(bytes) = fragment.root.cluster_bytes {
            if !bytes.get_ref().is_power_of_two() || !(4096..=1 << 20).contains(bytes.get_ref()) {
                return Err(source.wrong(&bytes, "a power of two from 4096 to 1048576".to_owned()));
            }
            self.cluster_bytes = Some(bytes.into_inner());
        }
        // FAT32 has at least 65,525 clusters; fewer make some firmware take it for FAT16.
        size(source, &mut self.esp_mib, fragment.disk.esp_mib, 64)?;
        size(source, &mut self.data_mib, fragment.disk.data_mib, 1)
    }

    fn finish(self, file: &str, board: &str, inputs: Vec<Input>) -> Result<Manifest, ManifestError> {
        let missing = |key| ManifestError::Missing { board: file.to_owned(), key };
        let name = self.name.ok_or_else(|| missing("board.name"))?;
        if name != board {
            let origin = super::Origin { file: file.to_owned(), line: 1 };
            return Err(ManifestError::Value {
                origin,
                what: format!("board.name is {name:?}, not the file's name"),
            });
        }
        if self.suites.is_empty() {
            return Err(missing("parts.suites"));
        }
        let arch = self.arch.ok_or_else(|| missing("board.arch"))?;
        let description = self.description.ok_or_else(|| missing("board.description"))?;
        let kernel = self.kernel.ok_or_else(|| missing("parts.kernel"))?;
        let boot = match self.pi {
            Some(pi) => Boot::Pi(pi),
            None => Boot::Uefi(Uefi {
                package: self.boot_package.ok_or_else(|| missing("parts.boot.package"))?,
                stub: self.stub.ok_or_else(|| missing("parts.boot.stub"))?,
                loader: self.loader.ok_or_else(|| missing("parts.boot.loader"))?,
                removable_name: self.removable_name.ok_or_else(|| missing("parts.boot.removable_name"))?,
                installed_name: self.installed_name.ok_or_else(|| missing("parts.boot.installed_name"))?,
            }),
        };
        Ok(Manifest {
            version: VERSION,
            board: Board { name, arch, description },
            parts: Parts {
                suites: self.suites,
                sections: self.sections.into_iter().collect(),
                kernel,
                kernel_suite: self.kernel_suite,
                boot,
                files: self.files,
                links: self.links,
                libraries: self.libraries.into_iter().collect(),
                tools: self.tools.into_iter().collect(),
                build: self.build.into_iter().collect(),
                overlays: self.overlays,
            },
            kernel: Kernel {
                cmdline: self.cmdline,
                initrd_modules: self.initrd_modules,
                modules: self.modules,
                own_modules: self.own_modules,
            },
            root: Root {
                compression: self.compression.ok_or_else(|| missing("root.compression"))?,
                module_compression: self
                    .module_compression
                    .ok_or_else(|| missing("root.module_compression"))?,
                cluster_bytes: self.cluster_bytes.ok_or_else(|| missing("root.cluster_bytes"))?,
            },
            disk: Disk {
                esp_mib: self.esp_mib.ok_or_else(|| missing("disk.esp_mib"))?,
                data_mib: self.data_mib.ok_or_else(|| missing("disk.data_mib"))?,
            },
            inputs,
        })
    }
}

fn set<T>(slot: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *slot = value;
    }
}

fn size(
    source: &Text<'_>,
    slot: &mut Option<u32>,
    value: Option<Spanned<u32>>,
    least: u32,
) -> Result<(), ManifestError> {
    if let Some(value) = value {
        if !(least..=65536).contains(value.get_ref()) {
            return Err(source.wrong(&value, format!("a size from {least} to 65536 MiB")));
        }
        *slot = Some(value.into_inner());
    }
    Ok(())
}

/// What a Raspberry Pi starts by, checked.
fn pi(source: &Text<'_>, part: PiPart) -> Result<Pi, ManifestError> {
    for path in &part.firmware {
        check_package_path(source, path)?;
    }
    for path in &part.device_trees {
        if !Path::new(path.get_ref()).components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(source.wrong(path, "a device tree is named by a relative path without ..".to_owned()));
        }
    }
    let config = part.config.map(Spanned::into_inner).unwrap_or_default();
    let plain = |list: Vec<Spanned<String>>| list.into_iter().map(Spanned::into_inner).collect();
    Ok(Pi {
        package: part.package,
        firmware: plain(part.firmware),
        device_trees: plain(part.device_trees),
        config,
    })
}

fn check_package_path(source: &Text<'_>, path: &Spanned<String>) -> Result<(), ManifestError> {
    let mut components = Path::new(path.get_ref()).components();
    if components.next() != Some(Component::RootDir)
        || !components.all(|part| matches!(part, Component::Normal(_)))
    {
        return Err(source.wrong(path, "a path in a package starts with / and has no ..".to_owned()));
    }
    Ok(())
}
