//! What an update costs with chunks of several sizes: `cargo run --release -p update --features publish --example cut OLD NEW`.

use std::collections::HashSet;
use std::fs;
use update::archive::Cut;
use update::publish::pack;

#[expect(clippy::print_stdout, reason = "a table is what it makes")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (old, new) = (arguments.next().ok_or("OLD")?, arguments.next().ok_or("NEW")?);
    let (old, new) = (fs::read(old)?, fs::read(new)?);
    println!("slot {} bytes", new.len());
    println!("average KiB | chunks | header | archive | fetched with header");
    for average in [4, 8, 16, 32, 64, 128_u32] {
        let cut = Cut { min: average << 8, average: average << 10, max: average << 12 };
        let (before, after) = (pack(&old, cut)?, pack(&new, cut)?);
        let known: HashSet<_> = before.header.chunks.iter().map(|chunk| chunk.sha256).collect();
        let missing = after.header.chunks.iter().filter(|chunk| !known.contains(&chunk.sha256));
        let bytes: u64 = missing.map(|chunk| u64::from(chunk.stored)).sum();
        let header = after.chunks.header_length;
        println!(
            "{average} | {} | {header} | {} | {}",
            after.header.chunks.len(),
            after.chunks.length,
            bytes + header
        );
    }
    Ok(())
}
