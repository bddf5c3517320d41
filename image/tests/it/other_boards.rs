//! Boards of another architecture than the machine that builds: which files start them, and what their disks hold.

use image::BuildInputs;
use image::BuiltImage;
use image::arch::Arch;
use image::parts::Choice;
use image::progress::Silent;
use image::root::Programs;
use object::Object;
use object::ObjectSection;
use object::read::pe::PeFile64;
use slots::pi::archive::Reader;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

const REPO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A program for the boards that needs the C library, or is static.
fn compile(folder: &Path, name: &str, more: &[&str]) -> PathBuf {
    let source = folder.join(format!("{name}.c"));
    fs::write(&source, "int main(void) { return 0; }\n").unwrap();
    let program = folder.join(name);
    let compiler = format!("{}-gcc", Arch::Arm64.library_folder());
    let made = Command::new(compiler).args(more).arg("-o").arg(&program).arg(&source).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    program
}

fn build(folder: &Path, board: &str) -> BuiltImage {
    let (fixed, dynamic) = (compile(folder, "fixed", &["-static"]), compile(folder, "dynamic", &[]));
    let programs = Programs {
        containerd_lite: dynamic.clone(),
        init: fixed.clone(),
        netd: dynamic.clone(),
        hostd: dynamic.clone(),
        storaged: dynamic.clone(),
        installer: dynamic.clone(),
        containerd_lite_run: dynamic.clone(),
        containerd_lite_unpack: dynamic,
        app_init: fixed,
    };
    let console = folder.join("console");
    fs::create_dir_all(&console).unwrap();
    fs::write(console.join("index.html"), "<!doctype html><title>Hearth</title>").unwrap();
    let inputs = BuildInputs {
        repo: Path::new(REPO),
        board,
        version: "0.0.1",
        out: &folder.join("out"),
        cache: &Path::new(REPO).join("target/hearth/parts-cache"),
        programs: &programs,
        console: &console,
        choice: Choice::Kept,
        signer: None,
        policy: None,
        updates: None,
        progress: &Silent,
    };
    image::build(&inputs).unwrap()
}

fn record(built: &BuiltImage) -> serde_json::Value {
    serde_json::from_slice(&fs::read(built.folder.join("manifest.json")).unwrap()).unwrap()
}

#[test]
fn a_machine_for_arm_with_uefi_has_one_slot_file_and_a_loader_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let built = build(folder.path(), "qemu-aarch64");
    let slot = fs::read(&built.slot).unwrap();
    let file = PeFile64::parse(slot.as_slice()).unwrap();
    assert_eq!(file.architecture(), object::Architecture::Aarch64);
    let cmdline = file.section_by_name(".cmdline").unwrap().data().unwrap().to_vec();
    let cmdline = String::from_utf8_lossy(&cmdline).into_owned();
    for word in ["console=ttyAMA0,115200", "hearth.board=qemu-aarch64", "rootfstype=ramfs"] {
        assert!(
            cmdline.split_whitespace().any(|found| found.trim_end_matches('\0') == word),
            "{word}: {cmdline}"
        );
    }
    let loader = built.loader.as_ref().unwrap();
    assert_eq!(
        (loader.removable_name.as_str(), loader.installed_name.as_str()),
        ("BOOTAA64.EFI", "systemd-bootaa64.efi")
    );
    let root = built.folder.join("root");
    for path in [
        "usr/share/hearth/update/systemd-bootaa64.efi",
        "usr/lib/aarch64-linux-gnu/libtss2-tcti-device.so.0",
        "usr/lib/aarch64-linux-gnu/libc.so.6",
    ] {
        assert!(root.join(path).is_file(), "{path}");
    }
    let record = record(&built);
    assert_eq!(record["pcr_11"], built.pcr_11.unwrap().to_string());
    let modules = record["modules"].as_array().unwrap();
    assert!(modules.iter().any(|name| name == "tpm_tis"), "{modules:?}");
}

/// A disk's FAT partition: name and size of each file at its top.
fn files_of(disk: &Path, start_mib: u64, mib: u64) -> Vec<(String, u64)> {
    let bytes = fs::read(disk).unwrap();
    let range = usize::try_from(start_mib << 20).unwrap()..usize::try_from((start_mib + mib) << 20).unwrap();
    let mut volume = std::io::Cursor::new(bytes[range].to_vec());
    let system = fatfs::FileSystem::new(&mut volume, fatfs::FsOptions::new()).unwrap();
    let mut found: Vec<(String, u64)> =
        system.root_dir().iter().map(Result::unwrap).map(|entry| (entry.file_name(), entry.len())).collect();
    found.sort();
    found
}

fn expect_pi(board: &str, more: &[&str], console: &str) -> (TempDir, BuiltImage) {
    let folder = tempfile::tempdir().unwrap();
    let built = build(folder.path(), board);
    let mut expected =
        ["cmdline.txt", "config.txt", "hearth-board", "hearth-version", "initrd", "vmlinuz"].to_vec();
    expected.extend(more);
    expected.sort_unstable();
    let first = files_of(&built.image, 1, 16);
    assert_eq!(first.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["autoboot.txt"]);
    let a = files_of(&built.image, 17, 256);
    assert_eq!(a.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), expected);
    for (name, size) in &a {
        assert_eq!(fs::metadata(built.folder.join("slot").join(name)).unwrap().len(), *size, "{name}");
    }
    assert!(files_of(&built.image, 273, 256).is_empty());

    let text = |name: &str| fs::read_to_string(built.folder.join("slot").join(name)).unwrap();
    assert_eq!(text("hearth-version"), "0.0.1\n");
    // The update file holds the same files, and says what it is first.
    let archive = fs::read(&built.slot).unwrap();
    let mut reader = Reader::open(archive.as_slice()).unwrap();
    assert_eq!((reader.version().as_str(), reader.board()), ("0.0.1", board));
    let mut held = vec!["hearth-board".to_owned(), "hearth-version".to_owned()];
    while let Some(member) = reader.next_member().unwrap() {
        held.push(member.title.to_string());
    }
    held.sort_unstable();
    assert_eq!(held, expected);
    let cmdline = text("cmdline.txt");
    assert_eq!(cmdline.lines().count(), 1, "{cmdline}");
    for word in ["gpt", console, &format!("hearth.board={board}")] {
        assert!(cmdline.split_whitespace().any(|found| found == word), "{word}: {cmdline}");
    }
    // Every line says what it is for, or stands below one that does.
    assert!(text("config.txt").starts_with("# "), "{}", text("config.txt"));
    let kernel = fs::read(built.folder.join("slot").join("vmlinuz")).unwrap();
    assert_eq!(kernel[..2], [0x1f, 0x8b]);
    let record = record(&built);
    assert!(record.get("pcr_11").is_none() && built.loader.is_none());
    expect_tryboot(&built.folder.join("root/usr/lib/modules"));
    expect_radio(&built.folder.join("root/usr/lib"), board);
    (folder, built)
}

/// The root has the driver of the radio on board with the part that it asks for by name, the radio's firmware by the names that the driver
/// looks for, and who joins networks.
fn expect_radio(lib: &Path, board: &str) {
    let aliases = fs::read_to_string(only_entry(&lib.join("modules")).join("modules.alias")).unwrap();
    // Maker and chip: SDIO_VENDOR_ID_BROADCOM, SDIO_DEVICE_ID_BROADCOM_43455 (include/linux/mmc/sdio_ids.h).
    assert!(aliases.lines().any(|line| line == "alias sdio:c*v02D0dA9BF* brcmfmac"), "{aliases}");
    assert!(only_entry(&lib.join("modules")).join("brcmfmac-wcc.ko").exists());
    let chip = lib.join("firmware/brcm");
    let size = |name: &str| fs::metadata(chip.join(name)).unwrap().len();
    let place = format!("brcmfmac43455-sdio.raspberrypi,{}-model-b.txt", board.trim_start_matches("rpi"));
    assert!(size("brcmfmac43455-sdio.bin") > 500_000 && size("brcmfmac43455-sdio.clm_blob") > 1000);
    let wiring = fs::read_to_string(chip.join(place)).unwrap();
    assert!(wiring.contains("boardtype=") && wiring.contains("boardflags="), "{wiring}");
    for program in ["usr/libexec/iwd", "usr/bin/dbus-daemon", "usr/lib/firmware/regulatory.db"] {
        assert!(lib.join("../..").join(program).exists(), "{program}");
    }
}

fn only_entry(folder: &Path) -> PathBuf {
    let entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    entry.clone()
}

/// The root has our module for the firmware's flag, made for its very kernel, and init will find it by the firmware's device.
fn expect_tryboot(modules: &Path) {
    let folder = only_entry(modules);
    let release = folder.file_name().unwrap().to_string_lossy().into_owned();
    let module = fs::read(folder.join("hearth_tryboot.ko")).unwrap();
    let file = object::File::parse(module.as_slice()).unwrap();
    assert_eq!(file.architecture(), object::Architecture::Aarch64);
    let words = file.section_by_name(".modinfo").unwrap().data().unwrap().to_vec();
    let words = String::from_utf8(words).unwrap();
    let vermagic = words.split('\0').find_map(|word| word.strip_prefix("vermagic=")).unwrap();
    assert_eq!(vermagic.split(' ').next(), Some(release.as_str()), "{vermagic}");
    // No path of the machine that built it: the same bytes everywhere.
    assert!(!module.windows(6).any(|bytes| bytes == b"/cache" || bytes == b"-cache"));
    let aliases = fs::read_to_string(folder.join("modules.alias")).unwrap();
    let alias = aliases.lines().find(|line| line.ends_with(" hearth_tryboot")).unwrap();
    assert!(alias.contains("Craspberrypi,bcm2835-firmware"), "{alias}");
}

#[test]
fn a_raspberry_pi_4_has_firmware_kernel_and_device_trees_on_side_a() {
    let more = [
        "bcm2711-rpi-4-b.dtb",
        "bcm2711-rpi-400.dtb",
        "fixup4.dat",
        "hats.txt",
        "overlay-clock.dtbo",
        "overlay-tpm.dtbo",
        "start4.elf",
    ];
    let (_folder, built) = expect_pi("rpi4", &more, "console=ttyS1,115200");
    expect_overlays(&built);
}

/// What the owner may have on the pins is off until he says so, and fits the device trees that the firmware lays it over.
fn expect_overlays(built: &BuiltImage) {
    let slot = built.folder.join("slot");
    let text = |name: &str| fs::read_to_string(slot.join(name)).unwrap();
    let config = text("config.txt");
    assert!(config.ends_with("overlay_prefix=overlay-\ninclude hats.txt\n"), "{config}");
    let hats = text("hats.txt");
    assert!(hats.lines().all(|line| line.is_empty() || line.starts_with('#')), "{hats}");
    assert!(hats.contains("\n#dtoverlay=clock\n") && hats.contains("\n#dtoverlay=tpm\n"), "{hats}");
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(&slot).output().unwrap();
        assert!(
            output.status.success(),
            "{program} {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    for tree in ["bcm2711-rpi-4-b.dtb", "bcm2711-rpi-400.dtb"] {
        run("fdtoverlay", &["-i", tree, "-o", "both", "overlay-clock.dtbo", "overlay-tpm.dtbo"]);
        let asked = |place: &str, property: &str| run("fdtget", &["both", place, property]);
        let (spi, bus) = ("/soc/spi@7e204000", "/soc/i2c@7e804000");
        assert_eq!(run("fdtget", &[tree, spi, "status"]), "disabled");
        assert_eq!((asked(spi, "status"), asked(bus, "status")), ("okay".to_owned(), "okay".to_owned()));
        let pins = run("fdtget", &["both", "/__symbols__", "spi0_gpio7"]);
        assert_eq!(asked(spi, "pinctrl-0"), asked(&pins, "phandle"));
        assert_eq!(asked(&format!("{spi}/tpm@1"), "compatible"), "infineon,slb9670 tcg,tpm_tis-spi");
        assert_eq!(asked(&format!("{bus}/rtc@68"), "compatible"), "maxim,ds3231");
    }
    // The drivers know these names.
    let modules = only_entry(&built.folder.join("root/usr/lib/modules"));
    let aliases = fs::read_to_string(modules.join("modules.alias")).unwrap();
    assert!(aliases.lines().any(|line| line == "alias spi:slb9670 tpm_tis_spi"));
    assert!(modules.join("i2c-bcm2835.ko").exists() && modules.join("spi-bcm2835.ko").exists());
}

#[test]
fn a_raspberry_pi_5_has_kernel_and_device_trees_on_side_a() {
    expect_pi("rpi5", &["bcm2712-d-rpi-5-b.dtb", "bcm2712-rpi-5-b.dtb"], "console=ttyAMA10,115200");
}
