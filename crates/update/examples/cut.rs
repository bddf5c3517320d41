//! What an update costs: `cargo run --release -p update --features publish --example cut OLD NEW [OLD_ROOT NEW_ROOT]`, slot files and
//! the unpacked roots in them. With chunks of several sizes; with roots also what it costs when programs are remade.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Instant;
use update::archive::Cut;
use update::publish::Program;
use update::publish::RemakeFile;
use update::publish::SEGMENT;
use update::publish::pack;
use update::publish::remake;
use update::remake::Packing;

/// As `board-configs/base.toml` has it.
const PACKING: Packing = Packing { cluster: 65_536, segment: SEGMENT, level: 12 };

type Anything = Box<dyn std::error::Error>;

#[expect(clippy::print_stdout, reason = "a table is what it makes")]
fn main() -> Result<(), Anything> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [old, new, roots @ ..] = arguments.as_slice() else {
        return Err("OLD NEW [OLD_ROOT NEW_ROOT]".into());
    };
    let (old, new) = (fs::read(old)?, fs::read(new)?);
    let remakes = match roots {
        [] => None,
        [old_root, new_root] => Some(remakes(&new, old_root, new_root)?),
        _other => return Err("two roots or none".into()),
    };
    println!("slot {} bytes", new.len());
    println!("average KiB | chunks | header | archive | fetched with header | with remakes");
    for average in [4, 8, 16, 32, 64, 128_u32] {
        let cut = Cut { min: average << 8, average: average << 10, max: average << 12 };
        let (before, after) = (pack(&old, cut)?, pack(&new, cut)?);
        let mut known: HashSet<_> = before.header.chunks.iter().map(|chunk| chunk.sha256).collect();
        let header = after.chunks.header_length;
        let missing = |known: &HashSet<_>| {
            let missing = after.header.chunks.iter().filter(|chunk| !known.contains(&chunk.sha256));
            missing.map(|chunk| u64::from(chunk.stored)).sum::<u64>() + header
        };
        let fetched = missing(&known);
        let remade = remakes.as_ref().map(|remakes| {
            let files = &remakes.header.files;
            let inside = |start, end| files.iter().any(|file| file.offset <= start && end <= file.end());
            for (at, _index, chunk) in after.header.places() {
                if inside(at, at + u64::from(chunk.length)) {
                    known.insert(chunk.sha256);
                }
            }
            (missing(&known) + remakes.remakes.length).to_string()
        });
        println!(
            "{average} | {} | {header} | {} | {fetched} | {}",
            after.header.chunks.len(),
            after.chunks.length,
            remade.as_deref().unwrap_or("-"),
        );
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a table is what it makes")]
fn remakes(slot: &[u8], old: &Path, new: &Path) -> Result<RemakeFile, Anything> {
    let mut paths = Vec::new();
    let mut folders = vec![new.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            match entry.file_type()? {
                kind if kind.is_dir() => folders.push(entry.path()),
                kind if kind.is_file() => paths.push(entry.path()),
                _link => {}
            }
        }
    }
    let mut changed = Vec::new();
    for path in paths {
        let below = path.strip_prefix(new)?.to_str().ok_or("no UTF-8")?.to_owned();
        let Ok(before) = fs::read(old.join(&below)) else { continue };
        let after = fs::read(&path)?;
        if before != after && after.len() >= 32 << 10 {
            changed.push((below, before, after));
        }
    }
    let programs: Vec<Program<'_>> =
        changed.iter().map(|(path, old, new)| Program { path, old, new }).collect();
    let began = Instant::now();
    let remade = remake(slot, &"0".parse()?, &programs, PACKING)?;
    println!("remakes made in {:.1} s, left out: {:?}", began.elapsed().as_secs_f64(), remade.left_out);
    let file = remade.file.ok_or("nothing can be remade")?;
    for made in &file.header.files {
        println!(
            "{}: {} bytes, {} in the slot file, difference {}",
            made.path, made.length, made.stored, made.body
        );
    }
    Ok(file)
}
