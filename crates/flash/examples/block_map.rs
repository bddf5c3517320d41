//! Prints the block map of an image file: `cargo run --release -p flash --example block_map -- hearth.img > hearth.img.bmap`.

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::io::stdout;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("which image?")?;
    let mut image = File::open(path)?;
    let size = image.metadata()?.len();
    let map = flash::used::block_map(&mut image, size)?;
    stdout().write_all(map.encode().as_bytes())?;
    Ok(())
}
