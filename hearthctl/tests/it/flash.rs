//! Images on files that stand for disks; the real ones are with the crate `flash`.

use crate::person::Outcome;
use crate::person::Person;
use crate::snapshot::compare;
use ::flash::digest::Digest;
use ::flash::disks::Bus;
use ::flash::disks::Disk;
use ::flash::disks::Objection;
use ::flash::disks::Use;
use ::flash::used;
use ::flash::write::Written;
use fatfs::FatType;
use fatfs::FileSystem;
use fatfs::FormatVolumeOptions;
use fatfs::FsOptions;
use hearthctl::show;
use model::preset::Preset;
use serde_json::Value;
use std::fs;
use std::io::Cursor;
use std::io::Read;

const MIB: usize = 1 << 20;
/// Where the boot partition is.
const BOOT: std::ops::Range<usize> = MIB..18 * MIB;
const SIZE: usize = 20 * MIB;

/// A folder with an image, what lies beside it, and a disk.
struct Desk {
    person: Person,
    image: Vec<u8>,
}

impl Desk {
    fn new() -> Self {
        let (person, image) = (Person::new(), image());
        let map = used::block_map(&mut Cursor::new(&image), SIZE as u64).unwrap().encode();
        let compressed = zstd::encode_all(image.as_slice(), 1).unwrap();
        let desk = Self { person, image };
        for (name, content) in [
            ("hearth.img.zst", compressed.as_slice()),
            ("hearth.img.bmap", map.as_bytes()),
            ("hearth.img.zst.sha256", format!("{}  hearth.img.zst\n", Digest::of(&compressed)).as_bytes()),
            ("disk", &vec![0xe5; SIZE + MIB]),
        ] {
            fs::write(desk.person.folder.path().join(name), content).unwrap();
        }
        desk
    }

    fn path(&self, name: &str) -> String {
        self.person.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn flash(&self, options: &str, typed: &[&str]) -> Outcome {
        let (image, disk) = (self.path("hearth.img.zst"), self.path("disk"));
        let words = ["flash", &image, &disk].into_iter().chain(options.split_whitespace());
        self.person.types(words, typed)
    }

    fn disk(&self) -> Vec<u8> {
        fs::read(self.path("disk")).unwrap()
    }

    fn preset(&self) -> Option<Preset> {
        let system = FileSystem::new(Cursor::new(self.disk()[BOOT].to_vec()), FsOptions::new()).unwrap();
        let mut content = Vec::new();
        system.root_dir().open_file(model::preset::FILE).ok()?.read_to_end(&mut content).unwrap();
        Some(Preset::parse(&content).unwrap())
    }
}

/// A table with a boot partition of FAT16, as far as flashing looks at it.
fn image() -> Vec<u8> {
    let mut image = vec![0; SIZE];
    image[510..512].copy_from_slice(&[0x55, 0xaa]);
    image[512..520].copy_from_slice(b"EFI PART");
    image[584..592].copy_from_slice(&2_u64.to_le_bytes());
    image[592..596].copy_from_slice(&4_u32.to_le_bytes());
    image[596..600].copy_from_slice(&128_u32.to_le_bytes());
    // C12A7328-F81F-11D2-BA4B-00A0C93EC93B, an EFI system partition.
    let kind =
        [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b];
    image[1024..1040].copy_from_slice(&kind);
    image[1056..1064].copy_from_slice(&(BOOT.start as u64 / 512).to_le_bytes());
    image[1064..1072].copy_from_slice(&(BOOT.end as u64 / 512 - 1).to_le_bytes());
    let mut boot = Cursor::new(vec![0; BOOT.len()]);
    fatfs::format_volume(&mut boot, FormatVolumeOptions::new().fat_type(FatType::Fat16)).unwrap();
    image[BOOT].copy_from_slice(boot.get_ref());
    image
}

#[test]
fn an_image_goes_on_a_disk_once_its_name_was_typed() {
    let desk = Desk::new();
    let told = desk.flash("", &["disk"]);
    assert!(
        told.complained.contains("Everything on") && told.complained.contains("Reading back"),
        "{told:?}"
    );
    let told = told.well();
    assert!(told.contains("hearth.img.zst.sha256") && told.contains("needed no writing"), "{told}");
    assert!(told.contains("its screen shows the claim code"), "{told}");
    assert!(desk.disk()[..MIB] == desk.image[..MIB] && desk.preset().is_none());
}

#[test]
fn nothing_is_written_without_a_yes() {
    let desk = Desk::new();
    let before = desk.disk();
    assert!(desk.flash("", &["another"]).failure().contains("nothing was changed"));
    let (image, disk) = (desk.path("hearth.img.zst"), desk.path("disk"));
    let nobody = desk.person.pipes(["flash", &image, &disk], "").failure();
    assert!(nobody.contains("--yes"), "{nobody}");
    assert!(desk.disk() == before);
}

#[test]
fn what_was_decided_is_on_the_boot_partition_and_shown_once() {
    let desk = Desk::new();
    let options = "--yes --claim-code --host-name attic --wifi home --country DE --time-zone Europe/Berlin --locale de_AT";
    let told = desk.flash(options, &["correct horse"]).well();
    let preset = desk.preset().unwrap();
    let code = preset.claim_code.unwrap().shown().to_string();
    assert!(told.contains(&code) && told.contains("https://attic.local/") && told.contains('▀'), "{told}");
    assert!(told.contains("home (DE)") && !told.contains("correct horse"), "{told}");
    let wifi = preset.wifi.unwrap();
    assert_eq!((wifi.ssid.as_str(), wifi.passphrase.unwrap().reveal()), ("home", "correct horse"));
    assert_eq!(preset.time_zone.unwrap().to_string(), "Europe/Berlin");

    let again = desk.flash("--yes --json --claim-code --host-name attic", &[]).well();
    let answer: Value = serde_json::from_str(&again).unwrap();
    let other = answer["claim_code"].as_str().unwrap().to_owned();
    assert_ne!(other, code, "a new one each time");
    assert_eq!(answer["url"], format!("https://attic.local/#claim={other}"));
    assert_eq!(answer["checked_by"][0], "hearth.img.zst.sha256");
    assert_eq!(
        answer["bytes_written"].as_u64().unwrap() + answer["bytes_left_out"].as_u64().unwrap(),
        SIZE as u64
    );

    desk.flash("--yes --claim-code=01ab-2cde-3fgh", &[]).well();
    assert_eq!(*desk.preset().unwrap().claim_code.unwrap().shown(), "01AB-2CDE-3FGH");
}

#[test]
fn a_wrong_passphrase_or_checksum_stops_before_anything_is_written() {
    let desk = Desk::new();
    let before = desk.disk();
    let short = desk.flash("--yes --wifi home --country DE", &["short"]).failure();
    assert!(short.contains("8 to 63") && !short.contains("short:"), "{short}");
    let other = desk.flash(&format!("--yes --sha256 {}", Digest::of(b"other")), &[]).failure();
    assert!(other.contains("--sha256") && other.contains("Nothing was written"), "{other}");
    fs::write(desk.path("disk"), &before[..SIZE - 1]).unwrap();
    let small = desk.flash("--yes", &[]).failure();
    assert!(small.contains(&SIZE.to_string()) && small.contains("Nothing was written"), "{small}");
    assert!(desk.disk() == before[..SIZE - 1]);
}

#[test]
fn a_damaged_image_leaves_a_disk_that_starts_nothing_and_says_so() {
    let desk = Desk::new();
    let mut changed = desk.image.clone();
    changed[MIB + 600] ^= 1;
    fs::write(desk.path("hearth.img.zst"), zstd::encode_all(changed.as_slice(), 1).unwrap()).unwrap();
    fs::remove_file(desk.path("hearth.img.zst.sha256")).unwrap();
    let failure = desk.flash("--yes", &[]).failure();
    assert!(failure.contains("damaged") && failure.contains("Write it once more"), "{failure}");
    assert!(desk.disk()[..MIB].iter().all(|byte| *byte == 0));
}

#[test]
fn what_is_no_disk_is_refused() {
    let desk = Desk::new();
    let image = desk.path("hearth.img.zst");
    for (disk, why) in [("/dev/null", "is no disk"), ("/nonexistent", "open /nonexistent")] {
        let failure = desk.person.pipes(["flash", &image, disk, "--yes"], "").failure();
        assert!(failure.contains(why), "{disk}: {failure}");
    }
    let which = desk.person.pipes(["flash", &image], "").failure();
    assert!(which.contains("say which disk"), "{which}");
}

fn disk(name: &str, bus: Bus, model: &str) -> Disk {
    let removable = matches!(bus, Bus::Usb | Bus::SdCard);
    Disk {
        path: format!("/dev/{name}").into(),
        name: name.to_owned(),
        size: 31_914_983_424,
        model: model.to_owned(),
        bus,
        removable,
        uses: Vec::new(),
        objections: Vec::new(),
    }
}

#[test]
fn disks_and_results_read_well() {
    let mut stick = disk("sdb", Bus::Usb, "SanDisk Ultra Fit");
    stick.uses = vec![Use::Mounted { place: "/media/anna/PHOTOS".to_owned() }];
    stick.objections = vec![Objection::InUse];
    let mut locked = disk("sdc", Bus::Usb, "");
    locked.objections = vec![Objection::ReadOnly];
    let mut system = disk("nvme0n1", Bus::Nvme, "Samsung SSD 990");
    system.uses = vec![Use::Mounted { place: "/".to_owned() }, Use::Swap];
    system.objections = vec![Objection::System, Objection::InUse, Objection::Internal];
    let disks = [disk("mmcblk0", Bus::SdCard, "SC32G"), stick, locked, system];
    compare("flash-disks", &show::disks(&disks, false));
    compare("flash-disks-all", &show::disks(&disks, true));
    compare("flash-disks-none", &show::disks(&disks[3..], false));

    let preset = Preset::parse(
        br#"{"version":1,"claim_code":"01AB-2CDE-3FGH","host_name":"attic","wifi":{"ssid":"Our home","passphrase":"correct horse",
            "country":"DE"},"time_zone":"Europe/Berlin","locale":"de_AT"}"#,
    )
    .unwrap();
    let called = show::called(&disks[0]);
    let mut done = show::Flashed {
        disk: &called,
        written: Written { bytes: 61_000_000, skipped: 479_016_640 },
        seconds: 94,
        checked_by: &["hearth.img.zst.sha256".to_owned(), "manifest.json".to_owned()],
        is_mapped: true,
        preset: &preset,
    };
    compare("flash-done", &show::flashed(&done));
    let nothing = Preset::default();
    (done.checked_by, done.is_mapped, done.preset, done.written.skipped) = (&[], false, &nothing, 0);
    compare("flash-done-unchecked", &show::flashed(&done));
}
