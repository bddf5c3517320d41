use super::*;
use proptest::prelude::*;
use std::fs;
use std::path::Path;

const BASE: &str = r#"kind = "hearth-board"
version = 1
[board]
arch = "amd64"
description = "a box"
[parts]
suites = ["trixie"]
kernel = "linux-image-amd64"
libraries = ["libc6"]
tools = ["erofs-utils"]
[parts.boot]
package = "systemd-boot-efi"
stub = "/a/stub"
loader = "/a/loader"
removable_name = "BOOTX64.EFI"
installed_name = "systemd-bootx64.efi"
[kernel]
cmdline = ["panic=10"]
modules = ["nvme"]
[root]
compression = "lz4hc"
module_compression = "zstd"
cluster_bytes = 65536
[disk]
esp_mib = 512
data_mib = 1
"#;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn board(rest: &str) -> String {
    format!("kind = \"hearth-board\"\nversion = 1\n{rest}")
}

fn refused(files: &[(&str, &str)]) -> String {
    load(folder(files).path(), "b").unwrap_err().to_string()
}

#[test]
fn the_boards_of_the_repository_are_whole() {
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../board-configs");
    let manifest = load(&configs, "x86_64").unwrap();
    assert_eq!(manifest.board.arch, Arch::Amd64);
    assert_eq!(manifest.inputs.len(), 3);
    assert!(manifest.kernel.cmdline.iter().any(|word| word.value == "rootfstype=ramfs"));
    let json = serde_json::to_value(&manifest).unwrap();
    assert_eq!(json["board"]["name"], "x86_64");
    assert!(json["kernel"]["modules"].as_array().unwrap().iter().any(|name| name == "nvme"));
}

#[test]
fn a_board_of_another_architecture_names_what_its_programs_are_linked_against() {
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../board-configs");
    let manifest = load(&configs, "qemu-aarch64").unwrap();
    assert_eq!(manifest.board.arch, Arch::Arm64);
    assert!(manifest.parts.build.iter().any(|package| package == "libtss2-dev"));
    // What an older board's record says does not change by that.
    let json = serde_json::to_value(load(&configs, "x86_64").unwrap()).unwrap();
    assert_eq!(json["parts"].get("build"), None);
}

#[test]
fn boards_of_the_raspberry_pi_say_what_their_firmware_needs() {
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../board-configs");
    for (name, package, suite) in
        [("rpi4", Some("raspi-firmware"), None), ("rpi5", None, Some("trixie-backports"))]
    {
        let manifest = load(&configs, name).unwrap();
        let Boot::Pi(pi) = &manifest.parts.boot else { panic!("{name} starts otherwise") };
        assert_eq!((pi.package.as_deref(), manifest.parts.kernel_suite.as_deref()), (package, suite));
        for line in ["arm_64bit=1", "kernel=vmlinuz", "initramfs initrd followkernel", "enable_uart=1"] {
            assert!(pi.config.lines().any(|found| found == line), "{name}: {line}");
        }
        assert!(manifest.kernel.cmdline.iter().any(|word| word.value == "gpt"));
    }
    let own = |pi: &str| {
        let own = format!("inherit = \"base.toml\"\n[board]\nname = \"b\"\n[parts.pi]\n{pi}\n");
        refused(&[("base.toml", BASE), ("x/b.toml", &board(&own))])
    };
    assert!(own("firmware = [\"start4.elf\"]").starts_with("x/b.toml:7: a path in a package"));
    assert!(own("device_trees = [\"../a.dtb\"]").starts_with("x/b.toml:7: a device tree"));
}

#[test]
fn a_board_does_without_modules_that_its_kernel_lacks() {
    let without = |name: &str| {
        let own = format!(
            "inherit = \"base.toml\"\n[board]\nname = \"b\"\n[kernel]\nwithout_modules = [\"{name}\"]\nmodules = [\"igc\"]\n"
        );
        load(folder(&[("base.toml", BASE), ("x/b.toml", &board(&own))]).path(), "b")
    };
    let manifest = without("nvme").unwrap();
    assert_eq!(manifest.kernel.modules.iter().map(|entry| entry.value.as_str()).collect::<Vec<_>>(), ["igc"]);
    let error = without("uas").unwrap_err().to_string();
    assert_eq!(error, "x/b.toml:7: no inherited file lists the module \"uas\"");
}

#[test]
fn later_files_win_and_lists_grow_in_order() {
    let own = board(
        "inherit = [\"base.toml\", \"usb.toml\"]\n[board]\nname = \"b\"\n[kernel]\ncmdline = [\"quiet\"]\nmodules = [\"igc\"]\n[disk]\nesp_mib = 256\n",
    );
    let usb = board("[kernel]\nmodules = [\"uas\"]\n[disk]\nesp_mib = 128\n");
    let folder = folder(&[("base.toml", BASE), ("usb.toml", &usb), ("x/b.toml", &own)]);
    let manifest = load(folder.path(), "b").unwrap();
    let names: Vec<&str> = manifest.kernel.modules.iter().map(|m| m.value.as_str()).collect();
    assert_eq!(names, ["nvme", "uas", "igc"]);
    assert_eq!(manifest.kernel.modules[1].origin.to_string(), "usb.toml:4");
    assert_eq!(manifest.disk.esp_mib, 256);
    let inputs: Vec<&str> = manifest.inputs.iter().map(|input| input.file.as_str()).collect();
    assert_eq!(inputs, ["base.toml", "usb.toml", "x/b.toml"]);
    assert_eq!(manifest.inputs[0].sha256, Sha256::of(BASE.as_bytes()));
}

#[test]
fn wrong_files_are_refused_with_file_and_line() {
    for (text, expected) in [
        ("[board]\nname = \"b\"\ncolour = 3\n", "x/b.toml:5: unknown field `colour`"),
        ("[bored]\n", "x/b.toml:3: unknown field `bored`"),
        ("[disk]\nesp_mib = \"x\"\n", "x/b.toml:4: invalid type"),
        ("[disk]\nesp_mib = 1\n", "x/b.toml:4: a size from 64"),
        ("[disk\n", "x/b.toml:3: "),
        ("[board]\narch = \"z80\"\n", "x/b.toml:4: unknown architecture"),
        ("inherit = \"../x.toml\"\n", "x/b.toml:3: \"../x.toml\" leads out"),
        ("[parts]\nsuites = [\"http://x/\"]\n", "x/b.toml:4: a suite is named"),
        ("[parts.boot]\nstub = \"/a/../b\"\n", "x/b.toml:4: a path in a package"),
        ("[kernel]\ncmdline = [\n\"a b\"]\n", "x/b.toml:5: one word"),
        ("[root]\ncluster_bytes = 5000\n", "x/b.toml:4: a power of two"),
    ] {
        let error = refused(&[("x/b.toml", &board(text))]);
        assert!(error.contains(expected), "{text}: {error}");
    }
    let error = refused(&[("x/b.toml", "kind = \"hearth-app\"\nversion = 1\n")]);
    assert!(error.contains("x/b.toml:1: the kind must be"), "{error}");
    let error = refused(&[("x/b.toml", "kind = \"hearth-board\"\nversion = 2\n")]);
    assert!(error.contains("x/b.toml:2: the version must be 1"), "{error}");
}

#[test]
fn unclear_inheritance_is_refused() {
    let own = board("inherit = [\"l.toml\", \"r.toml\"]\n[board]\nname = \"b\"\n");
    let side = board("inherit = \"base.toml\"\n");
    let files = [
        ("base.toml", BASE),
        ("l.toml", side.as_str()),
        ("r.toml", side.as_str()),
        ("x/b.toml", own.as_str()),
    ];
    let error = refused(&files);
    assert!(error.contains("base.toml is inherited twice, by l.toml and by r.toml"), "{error}");

    let own = board("inherit = \"l.toml\"\n");
    let side = board("inherit = \"x/b.toml\"\n");
    let error = refused(&[("l.toml", &side), ("x/b.toml", &own)]);
    assert!(error.contains("x/b.toml -> l.toml -> x/b.toml"), "{error}");

    let error =
        refused(&[("x/b.toml", &board("inherit = [\"base.toml\", \"base.toml\"]\n")), ("base.toml", BASE)]);
    assert!(error.contains("inherited twice"), "{error}");
}

#[test]
fn what_is_missing_is_named() {
    let error = refused(&[("x/b.toml", &board("[board]\nname = \"b\"\n[parts]\nsuites = [\"trixie\"]\n"))]);
    assert_eq!(error, "x/b.toml: no file sets board.arch");
    let error = refused(&[("x/c.toml", BASE)]);
    assert!(error.contains("there are: c"), "{error}");
    let error = refused(&[
        ("base.toml", BASE),
        ("x/b.toml", &board("inherit = \"base.toml\"\n[board]\nname = \"c\"\n")),
    ]);
    assert!(error.contains("not the file's name"), "{error}");
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused_with_a_line(text in "(?s).{0,200}") {
        let lines = text.lines().count().max(1);
        let result = fragment::Text { file: "f", text: &text }.parse();
        if let Err(ManifestError::Syntax { line, .. }) = result {
            prop_assert!(line <= lines + 1);
        }
    }

    #[test]
    fn unknown_keys_never_pass(table in "board|parts|kernel|root|disk", key in "[a-z]{3,9}_zz") {
        let text = board(&format!("[{table}]\n{key} = 1\n"));
        let error = fragment::Text { file: "f", text: &text }.parse().unwrap_err().to_string();
        prop_assert!(error.starts_with("f:4: unknown field"), "{}", error);
    }
}

#[test]
fn what_only_packages_have_is_left_out_of_an_image_from_source() {
    let radio =
        board("packages_only = true\n[kernel]\nmodules = [\"mac80211\"]\n[parts.links]\n\"/a/b\" = \"c\"\n");
    let own = board("inherit = [\"base.toml\", \"radio.toml\"]\n[board]\nname = \"b\"\n");
    let folder = folder(&[("base.toml", BASE), ("radio.toml", &radio), ("x/b.toml", &own)]);
    let modules = |manifest: &Manifest| {
        manifest.kernel.modules.iter().map(|module| module.value.clone()).collect::<Vec<_>>()
    };
    let packages = load(folder.path(), "b").unwrap();
    assert_eq!(modules(&packages), ["nvme", "mac80211"]);
    assert_eq!(packages.parts.links["/a/b"], "c");
    let source = load_for_source(folder.path(), "b").unwrap();
    assert_eq!(modules(&source), ["nvme"]);
    assert!(source.parts.links.is_empty() && source.inputs.len() == 2);
}

#[test]
fn a_link_leads_nowhere_else() {
    for target in ["../x", "/x", "", ".."] {
        let own = board(&format!("inherit = \"base.toml\"\n[parts.links]\n\"/a/b\" = \"{target}\"\n"));
        let error = refused(&[("base.toml", BASE), ("x/b.toml", &own)]);
        assert!(error.contains("a link leads to the name of a file beside it"), "{error}");
    }
}
