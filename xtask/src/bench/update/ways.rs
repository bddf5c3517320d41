//! Ways from one slot file to the next: what is published, what a box has, and the command that it runs.
//!
//! Everything comes over HTTP from one server. What a box has: the old slot file, and where a way needs more of it, that, made before. Files that
//! are fetched as a whole come with curl. Peers run as their makers set them, but where the line says otherwise.

use crate::bench::update::desync;
use crate::bench::update::pair::Pair;
use crate::command::Program;
use crate::command::target;
use crate::publish::remakes;
use crate::publish::remakes::Built;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use image::updates::DevelopmentKeys;
use qemu_tests::Artifacts;
use qemu_tests::releases;
use qemu_tests::slots;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use update::publish::DEFAULT_CUT;
use update::publish::pack;

/// What is released for.
const BOARD: &str = "x86_64";
/// Of the files that the server gives, by whom.
pub(crate) const SERVED: &str = "served";
/// Bytes of the old file that xdelta3 looks at: all of it.
const WINDOW: &str = "134217728";
/// Chunks like ours, for those who cut larger ones by themselves: least, average and most.
const LIKE_OURS_BYTES: &str = "4096:16384:65536";
const LIKE_OURS_KIB: &str = "4:16:64";

/// Where a way is prepared and runs.
#[derive(Debug)]
pub(crate) struct Stage<'a> {
    /// The slot files.
    pub(crate) pair: &'a Pair,
    /// Of the server.
    pub(crate) url: String,
    /// What the server gives.
    pub(crate) served: PathBuf,
    /// What the box has.
    pub(crate) own: PathBuf,
}

/// A way that can be gone.
#[derive(Clone, Debug)]
pub(crate) struct Ready {
    /// The program and its version.
    pub(crate) program: String,
    /// The command.
    pub(crate) words: Vec<OsString>,
    /// The new slot file.
    pub(crate) output: PathBuf,
    /// What the command makes, in the box's folder: gone before the first time, there when it runs again.
    pub(crate) made: Vec<PathBuf>,
}

/// A way, before it is prepared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    /// In figures and table.
    pub(crate) name: &'static str,
    prepare: fn(&Stage<'_>) -> Result<Option<Ready>>,
}

/// Ours first.
pub(crate) const WAYS: [Way; 10] = [
    Way { name: "ours", prepare: |stage| ours(stage, "remakes") },
    Way { name: "ours, chunks alone", prepare: |stage| ours(stage, "chunks") },
    Way { name: "desync", prepare: |stage| desync(stage, None) },
    Way { name: "desync, chunks like ours", prepare: |stage| desync(stage, Some(LIKE_OURS_KIB)) },
    Way { name: "casync", prepare: |stage| casync(stage, None) },
    Way { name: "casync, chunks like ours", prepare: |stage| casync(stage, Some(LIKE_OURS_BYTES)) },
    Way { name: "zchunk", prepare: zchunk },
    Way { name: "xdelta3 -9", prepare: xdelta },
    Way { name: "full file, zstd -19", prepare: zstd },
    Way { name: "full file by our client", prepare: |stage| ours(stage, "full") },
];

impl Way {
    /// Publishes what it needs; `None` when the distribution has no such program.
    ///
    /// # Errors
    /// When that cannot be made.
    pub(crate) fn prepare(&self, stage: &Stage<'_>) -> Result<Option<Ready>> {
        (self.prepare)(stage).with_context(|| format!("preparing {}", self.name))
    }
}

/// Makes the repository of our own ways.
///
/// # Errors
/// When the image was built for keys that are not here.
pub(crate) fn publish(stage: &Stage<'_>) -> Result<()> {
    let artifacts = Artifacts::load()?;
    let releases = releases::Releases::new(&artifacts, &stage.served)?;
    let slot = read(&stage.pair.new)?;
    let mut archive = pack(&slot, DEFAULT_CUT)?;
    let manifest = read(&stage.pair.built.join("manifest.json"))?;
    let new = Built {
        folder: &stage.pair.built,
        manifest: &serde_json::from_slice(&manifest).context("manifest.json is broken")?,
        slot: &slot,
        version: &stage.pair.version.parse().context("the version of the new slot file")?,
    };
    archive.remakes.extend(remakes::from(&read(&stage.pair.old)?, BOARD, &new)?);
    releases.add_cut(&stage.pair.version, &slot, &archive)?;
    fs::write(stage.own.join("root.json"), keys(&artifacts)?.root()).context("writing the trusted keys")
}

fn keys(artifacts: &Artifacts) -> Result<DevelopmentKeys> {
    slots::update_keys(artifacts)
}

fn ours(stage: &Stage<'_>, way: &str) -> Result<Option<Ready>> {
    let output = stage.own.join(format!("{way}.efi"));
    let place = releases::place()?;
    let words = [
        target().join("release/examples/update_client").into_os_string(),
        stage.url.clone().into(),
        stage.own.join("root.json").into_os_string(),
        stage.own.join(format!("{way}-metadata")).into_os_string(),
        place.board.to_string().into(),
        place.channel.to_string().into(),
        stage.pair.version.clone().into(),
        stage.pair.old.clone().into_os_string(),
        format!("{}:{}", stage.pair.old_version, stage.pair.old_root.display()).into(),
        output.clone().into_os_string(),
        way.into(),
    ];
    let made = vec![output.clone(), stage.own.join(format!("{way}-metadata"))];
    Ok(Some(Ready { program: "update_client".to_owned(), words: words.into(), output, made }))
}

fn casync(stage: &Stage<'_>, cut: Option<&str>) -> Result<Option<Ready>> {
    let name = if cut.is_some() { "casync-like-ours" } else { "casync" };
    let published = fresh_folder(&stage.served.join(name))?;
    let size: Vec<OsString> = cut.map(|cut| format!("--chunk-size={cut}").into()).into_iter().collect();
    let store: OsString = format!("--store={}", published.join("store.castr").display()).into();
    let index = published.join("new.caibx").into_os_string();
    let words = ["make".into(), store, index, stage.pair.new.clone().into_os_string()];
    Program::new("casync", size.iter().cloned().chain(words)).output()?;
    // An output that is there would be a seed, and its own writing makes that one stale: casync ends with an error then.
    let script = "more=; test ! -e \"$4\" || more=\"--seed=$4\"; casync extract --seed-output=no --seed=\"$1\" $more --store=\"$2\" \"$3\" next \
                  && mv next \"$4\"";
    let (store, index) =
        (format!("{}/{name}/store.castr", stage.url), format!("{}/{name}/new.caibx", stage.url));
    let file = format!("{name}.efi");
    let output = stage.own.join(&file);
    let old = stage.pair.old.as_os_str().to_owned();
    let words = shell(script, [old, store.into(), index.into(), file.into()]);
    Ok(Some(Ready { program: packaged("casync")?, words, made: vec![output.clone()], output }))
}

fn desync(stage: &Stage<'_>, cut: Option<&str>) -> Result<Option<Ready>> {
    let Some(desync::Found { program, version }) = desync::find(&target().join("bench/update/desync"))?
    else {
        return Ok(None);
    };
    let name = if cut.is_some() { "desync-like-ours" } else { "desync" };
    let published = fresh_folder(&stage.served.join(name))?;
    let size: Vec<OsString> = cut.into_iter().flat_map(|cut| ["-m".into(), cut.into()]).collect();
    let make = |store: &Path, index: &Path, slot: &Path| {
        fs::create_dir_all(store).with_context(|| format!("making {}", store.display()))?;
        let words = [
            "make".into(),
            "-s".into(),
            store.as_os_str().to_owned(),
            index.as_os_str().to_owned(),
            slot.as_os_str().to_owned(),
        ];
        Program::new(&program, words.into_iter().chain(size.iter().cloned())).output().map(drop)
    };
    make(&published.join("store"), &published.join("new.caibx"), &stage.pair.new)?;
    let (seed, unused) =
        (stage.own.join(format!("{name}-old.caibx")), stage.own.join(format!("{name}-store")));
    make(&unused, &seed, &stage.pair.old)?;
    let output = stage.own.join(format!("{name}.efi"));
    let words = [
        program.clone().into_os_string(),
        "extract".into(),
        "--in-place".into(),
        "-s".into(),
        format!("{}/{name}/store", stage.url).into(),
        "--seed".into(),
        format!("{}:{}", seed.display(), stage.pair.old.display()).into(),
        format!("{}/{name}/new.caibx", stage.url).into(),
        output.clone().into_os_string(),
    ];
    Ok(Some(Ready {
        program: format!("desync {version}"),
        words: words.into(),
        made: vec![output.clone()],
        output,
    }))
}

fn zchunk(stage: &Stage<'_>) -> Result<Option<Ready>> {
    let old = stage.own.join("zchunk-old.zck");
    for (from, to) in [(&stage.pair.new, &stage.served.join("zchunk.zck")), (&stage.pair.old, &old)] {
        let words = ["-o".into(), to.as_os_str().to_owned(), from.as_os_str().to_owned()];
        Program::new("zck", words).output()?;
    }
    let script = "zckdl -q -s \"$1\" \"$2\" && rm -f zchunk && unzck zchunk.zck";
    let words = shell(script, [old.into_os_string(), format!("{}/zchunk.zck", stage.url).into()]);
    let output = stage.own.join("zchunk");
    let made = vec![output.clone(), stage.own.join("zchunk.zck")];
    Ok(Some(Ready { program: packaged("zchunk")?, words, output, made }))
}

fn xdelta(stage: &Stage<'_>) -> Result<Option<Ready>> {
    let patch = stage.served.join("patch.xdelta3");
    let (old, new) = (stage.pair.old.as_os_str().to_owned(), stage.pair.new.as_os_str().to_owned());
    let how = ["-e", "-f", "-9", "-S", "lzma", "-B", WINDOW, "-s"].map(OsString::from);
    Program::new("xdelta3", how.into_iter().chain([old.clone(), new, patch.into_os_string()])).output()?;
    let script =
        "curl -fsS -o patch \"$1/patch.xdelta3\" && xdelta3 -d -f -B \"$2\" -s \"$3\" patch xdelta3.efi";
    let words = shell(script, [stage.url.clone().into(), WINDOW.into(), old]);
    let output = stage.own.join("xdelta3.efi");
    let made = vec![output.clone(), stage.own.join("patch")];
    Ok(Some(Ready { program: packaged("xdelta3")?, words, output, made }))
}

fn zstd(stage: &Stage<'_>) -> Result<Option<Ready>> {
    let packed = stage.served.join("full.zst").into_os_string();
    let how = ["-19", "-q", "-f", "-o"].map(OsString::from);
    let new = stage.pair.new.as_os_str().to_owned();
    Program::new("zstd", how.into_iter().chain([packed, new])).output()?;
    let script = "curl -fsS \"$1/full.zst\" | zstd -d -q -f -o zstd.efi";
    let output = stage.own.join("zstd.efi");
    let words = shell(script, [stage.url.clone().into()]);
    Ok(Some(Ready { program: packaged("zstd")?, words, made: vec![output.clone()], output }))
}

fn shell(script: &str, arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    ["sh", "-c", script, "sh"].map(OsString::from).into_iter().chain(arguments).collect()
}

/// A package and the version that is installed.
fn packaged(name: &str) -> Result<String> {
    let version = Program::new("dpkg-query", ["-W", "-f=${Version}", name]).output()?;
    ensure!(!version.is_empty(), "{name} is not installed");
    Ok(format!("{name} {version}"))
}

fn fresh_folder(path: &Path) -> Result<PathBuf> {
    if path.exists() {
        fs::remove_dir_all(path).with_context(|| format!("removing {}", path.display()))?;
    }
    fs::create_dir_all(path).with_context(|| format!("making {}", path.display()))?;
    Ok(path.to_owned())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("reading {}", path.display()))
}
