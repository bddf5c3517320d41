//! `cargo xtask imager-list`: the list by which Raspberry Pi Imager offers Hearth (docs/flashing.md).
//!
//! Its rules are in Imager's repository, `doc/json-schema/os-list-schema.json`; those that concern an entry are a test here.

use crate::command::repository;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use clap::Args;
use serde::Deserialize;
use serde::Serialize;
use std::fs;
use std::io;
use std::io::Write;
use std::path::PathBuf;

/// What the list says beside what the images' manifests know.
#[derive(Args, Debug)]
pub(crate) struct ImagerArguments {
    /// Boards whose images were built
    #[arg(long, required = true, num_args = 1..)]
    board: Vec<String>,
    /// Where the folders of the boards are downloaded from, `https://…/`
    #[arg(long)]
    url: String,
    /// Address of an icon, 40 × 40
    #[arg(long)]
    icon: String,
    /// Day of the release, `YYYY-MM-DD`
    #[arg(long)]
    date: String,
    /// The file to write; without it the list is printed
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct List {
    os_list: Vec<Entry>,
}

/// One image.
#[derive(Debug, Serialize)]
struct Entry {
    name: String,
    description: String,
    icon: String,
    url: String,
    extract_size: u64,
    extract_sha256: String,
    image_download_size: u64,
    image_download_sha256: String,
    release_date: String,
    /// Imager's own scripts for the first start do nothing here: presets come from `hearthctl flash`.
    init_format: &'static str,
    /// Tags of the machines that Imager offers it for; empty means for none that it knows.
    devices: Vec<&'static str>,
}

/// The part of `manifest.json` that matters here.
#[derive(Debug, Deserialize)]
struct Manifest {
    version: String,
    board: String,
    files: Vec<Recorded>,
}

#[derive(Debug, Deserialize)]
struct Recorded {
    name: String,
    size: u64,
    sha256: String,
}

/// Makes the list from the manifests of built images.
///
/// # Errors
/// When an image was not built or something that was given cannot be in a list.
pub(crate) fn list(arguments: &ImagerArguments) -> Result<()> {
    let mut os_list = Vec::new();
    for board in &arguments.board {
        let path = repository().join("target/hearth").join(board).join("manifest.json");
        let text = fs::read(&path)
            .with_context(|| format!("cannot read {}; cargo xtask image --board {board}", path.display()))?;
        let manifest =
            serde_json::from_slice(&text).with_context(|| format!("cannot understand {}", path.display()))?;
        os_list.push(entry(&manifest, arguments)?);
    }
    let mut text = serde_json::to_vec_pretty(&List { os_list })?;
    text.push(b'\n');
    match &arguments.out {
        Some(path) => fs::write(path, text).with_context(|| format!("cannot write {}", path.display())),
        None => io::stdout().write_all(&text).context("cannot print the list"),
    }
}

fn entry(manifest: &Manifest, arguments: &ImagerArguments) -> Result<Entry> {
    for address in [&arguments.url, &arguments.icon] {
        if !address.starts_with("https://") {
            bail!("{address} is no address that begins with https://");
        }
    }
    if !is_day(&arguments.date) {
        bail!("{} is no day; write YYYY-MM-DD", arguments.date);
    }
    let file = |name: &str| {
        let found = manifest.files.iter().find(|file| file.name == name);
        found.with_context(|| format!("the manifest of {} has no {name}", manifest.board))
    };
    let (inside, compressed) = (file("hearth.img")?, file("hearth.img.zst")?);
    let (machine, devices) = machine(&manifest.board);
    Ok(Entry {
        name: format!("Hearth {} ({machine})", manifest.version),
        description: "A home server that nobody has to log in to: apps, private files, backups".to_owned(),
        icon: arguments.icon.clone(),
        url: format!("{}/{}/hearth.img.zst", arguments.url.trim_end_matches('/'), manifest.board),
        extract_size: inside.size,
        extract_sha256: inside.sha256.clone(),
        image_download_size: compressed.size,
        image_download_sha256: compressed.sha256.clone(),
        release_date: arguments.date.clone(),
        init_format: "none",
        devices,
    })
}

/// What a board is called, and Imager's tags of its machines.
fn machine(board: &str) -> (String, Vec<&'static str>) {
    match board {
        "rpi4" => ("Raspberry Pi 4".to_owned(), vec!["pi4-64bit"]),
        "rpi5" => ("Raspberry Pi 5".to_owned(), vec!["pi5-64bit"]),
        "x86_64" => ("PC".to_owned(), Vec::new()),
        other => (other.to_owned(), Vec::new()),
    }
}

fn is_day(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    let within = |part: &str, digits: usize, range: std::ops::RangeInclusive<u32>| {
        part.len() == digits
            && part.bytes().all(|b| b.is_ascii_digit())
            && part.parse().is_ok_and(|number| range.contains(&number))
    };
    within(year, 4, 2000..=9999) && within(month, 2, 1..=12) && within(day, 2, 1..=31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn arguments() -> ImagerArguments {
        ImagerArguments {
            board: Vec::new(),
            url: "https://example.org/hearth/".to_owned(),
            icon: "https://example.org/hearth.png".to_owned(),
            date: "2026-11-23".to_owned(),
            out: None,
        }
    }

    fn manifest(board: &str) -> Manifest {
        let file = |name: &str, size: u64, digit: &str| Recorded {
            name: name.to_owned(),
            size,
            sha256: digit.repeat(64),
        };
        Manifest {
            version: "0.1.0".to_owned(),
            board: board.to_owned(),
            files: vec![
                file("slot.efi", 7, "c"),
                file("hearth.img", 540_016_640, "a"),
                file("hearth.img.zst", 49_214_308, "b"),
            ],
        }
    }

    /// What Imager's schema wants of a list and of an entry with an image: these fields, of these types, nothing else beside the list.
    #[test]
    fn the_list_keeps_the_rules_of_imager() {
        let os_list =
            ["rpi4", "rpi5", "x86_64"].map(|board| entry(&manifest(board), &arguments()).unwrap()).into();
        let list = serde_json::to_value(List { os_list }).unwrap();
        assert_eq!(list.as_object().unwrap().keys().collect::<Vec<_>>(), ["os_list"]);
        for entry in list["os_list"].as_array().unwrap() {
            for name in
                ["name", "description", "icon", "url", "extract_sha256", "release_date", "init_format"]
            {
                assert!(entry[name].as_str().is_some_and(|text| !text.is_empty()), "{name}");
            }
            for name in ["extract_size", "image_download_size"] {
                assert!(entry[name].as_u64().is_some_and(|size| size > 0), "{name}");
            }
            for name in ["extract_sha256", "image_download_sha256"] {
                let digest = entry[name].as_str().unwrap();
                assert!(digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit()), "{name}");
            }
            assert!(entry["devices"].as_array().unwrap().iter().all(Value::is_string));
            assert!(entry["url"].as_str().unwrap().ends_with(".zst"));
        }
        assert_eq!(list["os_list"][0]["url"], "https://example.org/hearth/rpi4/hearth.img.zst");
        assert_eq!(list["os_list"][1]["devices"], serde_json::json!(["pi5-64bit"]));
        assert_eq!(list["os_list"][2]["extract_size"], 540_016_640);
    }

    #[test]
    fn what_cannot_be_in_a_list_is_refused() {
        let refused = |change: &dyn Fn(&mut ImagerArguments)| {
            let mut arguments = arguments();
            change(&mut arguments);
            entry(&manifest("rpi4"), &arguments).unwrap_err().to_string()
        };
        assert!(refused(&|list| list.url = "http://example.org".to_owned()).contains("https"));
        assert!(refused(&|list| list.icon = "icon.png".to_owned()).contains("https"));
        for date in ["2026-13-01", "2026-1-1", "23.11.2026", "2026-11-23-1", "+026-11-23"] {
            assert!(refused(&|list| list.date = date.to_owned()).contains("YYYY"), "{date}");
        }
        let without = Manifest { files: Vec::new(), ..manifest("rpi4") };
        assert!(entry(&without, &arguments()).unwrap_err().to_string().contains("hearth.img"));
    }
}
