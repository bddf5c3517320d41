//! What `buildroot-ext/` must be like, as far as that is seen without a checkout of Buildroot.

use super::RELEASE;
use super::configuration::fragments;
use super::configuration::setting;
use super::configuration::settings;
use crate::command::repository;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

fn external() -> PathBuf {
    repository().join("buildroot-ext")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn list(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Board and text of each defconfig.
fn defconfigs() -> Vec<(String, String)> {
    let board = |path: &Path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.strip_prefix("hearth_").unwrap().strip_suffix("_defconfig").unwrap().to_owned()
    };
    list(&external().join("configs")).iter().map(|path| (board(path), read(path))).collect()
}

fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    settings(text).find(|(there, _)| *there == name).and_then(|(_, value)| value)
}

/// Comments, empty lines and settings; a name and a value as Kconfig writes them.
fn malformed<'a>(text: &'a str, prefix: &str) -> Vec<&'a str> {
    let is_name = |name: &str| {
        name.strip_prefix(prefix).is_some_and(|rest| {
            !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        })
    };
    let is_value = |value: &str| {
        let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let number = value.strip_prefix("0x").unwrap_or(value);
        matches!(value, "y" | "m")
            || quoted.is_some_and(|text| !text.contains('"'))
            || !number.is_empty() && number.chars().all(|c| c.is_ascii_hexdigit())
    };
    text.lines()
        .filter(|line| match setting(line) {
            Some((name, value)) => !is_name(name) || !value.is_none_or(is_value),
            None => !line.is_empty() && (!line.starts_with("# ") || line.ends_with("is not set")),
        })
        .collect()
}

/// Names that are set more than once.
fn repeated<'a>(texts: &[&'a str]) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    texts
        .iter()
        .flat_map(|text| settings(text))
        .map(|(name, _)| name)
        .filter(|name| !seen.insert(*name))
        .collect()
}

#[test]
fn every_setting_of_a_defconfig_is_well_formed_and_there_once() {
    let all = defconfigs();
    let boards: Vec<&str> = all.iter().map(|(board, _)| board.as_str()).collect();
    assert_eq!(boards, ["rpi4", "rpi5", "x86_64"]);
    for (board, text) in &all {
        assert_eq!(malformed(text, "BR2_"), [""; 0], "{board}");
        assert_eq!(repeated(&[text]), BTreeSet::new(), "{board}");
    }
}

#[test]
fn every_board_checks_hashes_and_builds_the_same_twice() {
    for (board, text) in defconfigs() {
        for name in [
            "BR2_DOWNLOAD_FORCE_CHECK_HASHES",
            "BR2_REPRODUCIBLE",
            "BR2_PACKAGE_HEARTH",
            "BR2_SYSTEM_BIN_SH_NONE",
        ] {
            assert_eq!(value(&text, name), Some("y"), "{board}: {name}");
        }
        let arguments = value(&text, "BR2_ROOTFS_POST_SCRIPT_ARGS");
        assert_eq!(arguments, Some(format!("\"{board}\"").as_str()));
        for name in ["BR2_GLOBAL_PATCH_DIR", "BR2_ROOTFS_POST_IMAGE_SCRIPT"] {
            let path =
                value(&text, name).unwrap().trim_matches('"').replace("$(BR2_EXTERNAL_HEARTH_PATH)/", "");
            assert!(external().join(&path).exists(), "{board}: {name} names {path}");
        }
    }
}

#[test]
fn fragments_of_a_board_do_not_contradict_each_other() {
    let mut used = BTreeSet::new();
    for (board, text) in defconfigs() {
        let names = fragments(&text);
        assert!(names.len() >= 3, "{board}: {names:?}");
        let texts: Vec<String> = names.iter().map(|name| read(&external().join(name))).collect();
        for (name, text) in names.iter().zip(&texts) {
            assert_eq!(malformed(text, "CONFIG_"), [""; 0], "{name}");
        }
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        assert_eq!(repeated(&texts), BTreeSet::new(), "{board}");
        used.extend(names);
    }
    let there: BTreeSet<String> = list(&external().join("board/hearth/linux"))
        .iter()
        .map(|path| path.strip_prefix(external()).unwrap().display().to_string())
        .collect();
    assert_eq!(used, there, "fragments that no board uses, or that are not there");
}

/// What the checker judges most severely must not get lost by accident.
#[test]
fn every_kernel_is_hardened() {
    for (board, text) in defconfigs() {
        let all: String = fragments(&text).iter().map(|name| read(&external().join(name))).collect();
        for name in [
            "CONFIG_FORTIFY_SOURCE",
            "CONFIG_HARDENED_USERCOPY",
            "CONFIG_INIT_ON_ALLOC_DEFAULT_ON",
            "CONFIG_LOCK_DOWN_KERNEL_FORCE_CONFIDENTIALITY",
            "CONFIG_MODULE_SIG_FORCE",
            "CONFIG_RANDOMIZE_BASE",
            "CONFIG_SECURITY_LANDLOCK",
            "CONFIG_STRICT_KERNEL_RWX",
        ] {
            assert_eq!(value(&all, name), Some("y"), "{board}: {name}");
        }
        for name in ["CONFIG_DEVMEM", "CONFIG_KEXEC", "CONFIG_IO_URING", "CONFIG_DEBUG_FS", "CONFIG_KPROBES"]
        {
            assert!(settings(&all).any(|setting| setting == (name, None)), "{board}: {name}");
        }
    }
}

/// Lines of a hash file: file name to digest.
fn hashes(path: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for line in read(path).lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [kind, digest, name] = fields.as_slice() else { panic!("{}: {line}", path.display()) };
        assert_eq!((*kind, digest.len()), ("sha256", 64), "{}: {line}", path.display());
        assert!(digest.chars().all(|c| c.is_ascii_hexdigit()), "{}: {line}", path.display());
        assert_eq!(found.insert((*name).to_owned(), (*digest).to_owned()), None, "{name} twice");
    }
    found
}

/// The words of a variable of a package, line ends joined.
fn words(makefile: &str, name: &str) -> Vec<String> {
    let joined = makefile.replace("\\\n", " ");
    let start = format!("{name} = ");
    joined
        .lines()
        .find_map(|line| line.strip_prefix(&start))
        .map(|value| value.split_whitespace().map(str::to_owned).collect())
        .unwrap_or_default()
}

#[test]
fn every_package_has_its_hashes_and_its_place_in_the_menu() {
    let menu = read(&external().join("Config.in"));
    for folder in list(&external().join("package")) {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let makefile = read(&folder.join(format!("{name}.mk")));
        let variable = name.to_uppercase().replace('-', "_");
        let config = folder.join("Config.in");
        let line = format!("source \"$BR2_EXTERNAL_HEARTH_PATH/package/{name}/Config.in\"");
        assert_eq!(config.exists(), menu.lines().any(|there| there == line), "{name}: menu");
        if words(&makefile, &format!("{variable}_SITE_METHOD")) == ["local"] {
            continue;
        }
        let hashes = hashes(&folder.join(format!("{name}.hash")));
        assert!(hashes.keys().any(|file| file.contains(".tar.")), "{name}: no hash of its source");
        let licences = words(&makefile, &format!("{variable}_LICENSE_FILES"));
        assert!(!licences.is_empty(), "{name}: no licence");
        for file in licences {
            assert!(hashes.contains_key(&file), "{name}: no hash of {file}");
        }
        // The version is that of Buildroot's own package.
        let version = words(&makefile, &format!("{variable}_VERSION"));
        assert!(version.len() == 1 && version[0].starts_with("$("), "{name}: {version:?}");
    }
}

#[test]
fn every_kernel_has_its_hash() {
    let hashes = hashes(&external().join("board/hearth/patches/linux/linux.hash"));
    let mut used = BTreeSet::new();
    for (board, text) in defconfigs() {
        let version = value(&text, "BR2_LINUX_KERNEL_CUSTOM_VERSION_VALUE");
        let tarball = value(&text, "BR2_LINUX_KERNEL_CUSTOM_TARBALL_LOCATION");
        let file = match (version, tarball) {
            (Some(version), None) => format!("linux-{}.tar.xz", version.trim_matches('"')),
            (None, Some(place)) => place.trim_matches('"').rsplit('/').next().unwrap().to_owned(),
            _ => panic!("{board} names no kernel, or two"),
        };
        assert!(hashes.contains_key(&file), "{board}: {file}");
        used.insert(file);
    }
    assert_eq!(used.len(), hashes.len(), "a hash that no board uses");
}

#[test]
fn the_release_is_named_in_one_file_and_in_its_page() {
    let release = read(&external().join(RELEASE)).trim().to_owned();
    let number = release.split('.').all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit()));
    assert!(number && release.len() > 6, "{release}");
    let mut folders = vec![external()];
    while let Some(folder) = folders.pop() {
        for path in list(&folder) {
            if path.is_dir() {
                folders.push(path);
            } else if path != external().join(RELEASE) {
                assert!(!read(&path).contains(&release), "{} names the release too", path.display());
            }
        }
    }
    assert!(
        read(&repository().join("docs/buildroot.md")).contains(&release),
        "docs/buildroot.md is of another release"
    );
}

#[test]
fn the_package_installs_what_the_image_takes() {
    let makefile = read(&external().join("package/hearth/hearth.mk"));
    let mut installed = words(&makefile, "HEARTH_PROGRAMS");
    installed.sort();
    let programs = image::parts::buildroot::Output::new(Path::new("/o")).programs();
    let mut taken: Vec<String> = [
        &programs.app_init,
        &programs.containerd_lite,
        &programs.containerd_lite_run,
        &programs.containerd_lite_unpack,
        &programs.hostd,
        &programs.init,
        &programs.installer,
        &programs.netd,
        &programs.storaged,
    ]
    .iter()
    .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
    .collect();
    taken.sort();
    assert_eq!(installed, taken);
}

#[test]
fn substitutes_are_whole() {
    let table: serde_json::Value =
        serde_json::from_str(&read(&external().join("substitutes/debian/sources.json"))).unwrap();
    for entry in table["packages"].as_array().unwrap() {
        assert!(entry["source"].is_string() && entry["version"].is_string(), "{entry}");
        assert_ne!(
            entry["file"].is_string(),
            entry["repack"].is_string(),
            "{entry}: upstream's own file, or another name"
        );
    }
}

/// The rules themselves find what they are for.
#[test]
fn faults_are_found() {
    assert_eq!(
        malformed("BR2_A=y\n# BR2_B is not set\n# Text\n\nBR2_C=\"x\"\nBR2_D=0x10\n", "BR2_"),
        [""; 0]
    );
    let faults = ["BR2_A=n", "A=y", "BR2_A = y", "BR2_C=\"x", "BR2_A", "#BR2_A=y", "#  BR2_A is not set"];
    assert_eq!(malformed(&faults.join("\n"), "BR2_"), faults);
    assert_eq!(repeated(&["A=y\n", "# A is not set\nB=m\n"]), BTreeSet::from(["A"]));
}
