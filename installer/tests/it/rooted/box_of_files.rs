//! A box: its boot partition, variables, notes and downloads.

use std::fs;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use installer::approve::Approve;
use installer::approve::Approved;
use installer::approve::Hash;
use installer::approve::NotApproved;
use installer::approve::Wanted;
use installer::places::Places;
use installer::verb::Verb;
use installer::work;
use installer::work::Outcome;
use installer::work::WorkError;
use model::report::BootReport;
use model::update::SlotsReport;
use model::update::UpdateOrder;
use model::update::UpdateOrigin;
use slots::Version;
use slots::uefi::FileName;
use slots::uefi::variable;
use tempfile::TempDir;
use update::publish::Addition;
use update::publish::Key;
use update::publish::Lifetimes;
use update::publish::Online;
use update::publish::Repository;
use update::publish::RolePlan;
use update::publish::RootPlan;

pub(crate) const BOARD: &str = "x86_64";
const MIB: u64 = 1 << 20;

/// A box; its boot partition is unmounted when dropped.
pub(crate) struct Box {
    pub(crate) folder: TempDir,
    pub(crate) places: Places,
}

/// Approves what it was given.
pub(crate) struct Signed(pub(crate) Option<Approved>);

impl Approve for Signed {
    fn approve(&self, _places: &Places, _wanted: &Wanted<'_>) -> Result<Approved, NotApproved> {
        self.0.clone().ok_or_else(|| "the signature is wrong".into())
    }
}

impl Box {
    /// A box with so much room on its boot partition, on which version 1 is good and runs.
    pub(crate) fn new(mib: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let places = Places {
            esp: at("esp"),
            efivars: at("efivars"),
            pstore: at("pstore"),
            updates: at("updates"),
            trust: at("trust"),
            state: at("state"),
            run: at("run"),
            boot_report: at("boot.json"),
            ..Places::default()
        };
        for path in [
            &places.esp,
            &places.efivars,
            &places.pstore,
            &places.updates,
            &places.trust,
            &places.state,
            &places.run,
        ] {
            fs::create_dir(path).unwrap();
        }
        let report = BootReport { board: BOARD.to_owned(), ..BootReport::default() };
        fs::write(&places.boot_report, serde_json::to_vec(&report).unwrap()).unwrap();
        File::create(at("image")).unwrap().set_len(mib * MIB).unwrap();
        // No blocks set aside: what does not fit does not fit for root either.
        ran(Command::new("mke2fs").args(["-q", "-t", "ext2", "-m", "0", "-b", "1024"]).arg(at("image")));
        let it = Self { folder, places };
        it.mount("rw");
        fs::create_dir_all(it.places.slots()).unwrap();
        fs::write(it.places.slots().join("hearth_1.efi"), slot("1", 1)).unwrap();
        fs::create_dir(it.places.esp.join("hearth")).unwrap();
        it.boots("hearth_1.efi", None);
        it.variable(variable::INFO, "systemd-boot 257.13-1~deb13u1");
        it
    }

    pub(crate) fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    fn mount(&self, mode: &str) {
        let options = format!("loop,nosuid,nodev,noexec,{mode}");
        ran(Command::new("mount")
            .args(["-t", "ext2", "-o", &options])
            .arg(self.image())
            .arg(&self.places.esp));
    }

    /// As in a running box.
    pub(crate) fn read_only(&self) {
        ran(Command::new("mount").args(["-o", "remount,ro,nosuid,nodev,noexec"]).arg(&self.places.esp));
    }

    /// What the loader says of this boot.
    pub(crate) fn boots(&self, selected: &str, counted: Option<&str>) {
        self.variable(variable::SELECTED, selected);
        match counted {
            Some(name) => self.variable(variable::COUNTED, &format!("\\EFI\\Linux\\{name}")),
            None => drop(fs::remove_file(self.variable_path(variable::COUNTED))),
        }
    }

    pub(crate) fn variable(&self, name: &str, value: &str) {
        fs::write(self.variable_path(name), variable::encode(value).unwrap()).unwrap();
    }

    pub(crate) fn variable_path(&self, name: &str) -> PathBuf {
        self.places.efivars.join(format!("{name}-{}", variable::VENDOR))
    }

    /// What the loader does when it starts an armed slot.
    pub(crate) fn loader_tries(&self, version: &str) {
        let version: Version = version.parse().unwrap();
        let armed = FileName::armed(&version).to_string();
        let tried = format!("hearth_{version}+0-1.efi");
        fs::rename(self.places.slots().join(&armed), self.places.slots().join(&tried)).unwrap();
        self.boots(&armed, Some(&tried));
    }

    /// The names on the boot partition.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.places.slots()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Downloads a version of so many KiB; what is signed for it.
    pub(crate) fn download(&self, version: &str, kib: usize) -> Signed {
        let bytes = slot(version, kib);
        fs::write(self.places.download(), &bytes).unwrap();
        Signed(Some(approved(version, &bytes)))
    }

    /// Downloads a version with a repository that is signed for it, as hostd does; what the clock shows.
    pub(crate) fn publish(&self, version: &str, kib: usize) -> installer::signed::Signed {
        let now = model::release::RELEASED + 3600;
        let slot = slot(version, kib);
        let key = Key::generate().unwrap().0;
        let role = || RolePlan { keys: vec![key.public()], threshold: 1 };
        let plan = RootPlan { root: role(), targets: role(), snapshot: role(), timestamp: role() };
        let repository = Repository::open(self.places.updates.clone(), Lifetimes::default(), now).unwrap();
        let mut root = repository.draft_root(&plan).unwrap();
        root.sign(&key).unwrap();
        repository.commit_root(&root).unwrap();
        let place = update::Place { board: BOARD.parse().unwrap(), channel: "stable".parse().unwrap() };
        let addition = Addition {
            slot: &slot,
            archive: None,
            place,
            version: version.parse().unwrap(),
            loader: "257".parse().unwrap(),
            ships: "257".parse().unwrap(),
            rollout: 100,
            notes: update::Notes::new(String::new()).unwrap(),
        };
        let mut targets = repository.add(&addition).unwrap();
        targets.sign(&key).unwrap();
        let keys = std::slice::from_ref(&key);
        repository.commit(Some(&targets), &Online { snapshot: keys, timestamp: keys }).unwrap();
        let root = repository.newest_root().unwrap().unwrap().1;
        fs::write(self.places.trust.join("root.json"), root).unwrap();
        fs::write(self.places.download(), slot).unwrap();
        let clock = update::Clock { system: now, at_least: now, trust: update::Trust::Sure };
        installer::signed::Signed { clock }
    }

    pub(crate) fn run(&self, verb: &Verb, signed: &Signed) -> Result<Outcome, WorkError> {
        work::run(&self.places, verb, signed)
    }

    /// Runs a verb that needs no signature.
    pub(crate) fn does(&self, verb: &Verb) -> Outcome {
        self.run(verb, &Signed(None)).unwrap()
    }

    pub(crate) fn report(&self) -> SlotsReport {
        serde_json::from_slice(&fs::read(self.places.report()).unwrap()).unwrap()
    }

    /// What went wrong in the last run, as hostd hears it.
    pub(crate) fn problem(&self) -> String {
        self.report().last.unwrap().problem.unwrap()
    }
}

impl Drop for Box {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.places.esp).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

pub(crate) fn install(version: &str, order: UpdateOrder) -> Verb {
    Verb::Install { version: version.parse().unwrap(), order, origin: UpdateOrigin::Network }
}

pub(crate) fn automatic(version: &str) -> Verb {
    install(version, UpdateOrder::Automatic)
}

pub(crate) fn failed(why: &str) -> Verb {
    Verb::Failed { why: slots::Words::new(why) }
}

pub(crate) fn approved(version: &str, bytes: &[u8]) -> Approved {
    Approved {
        version: version.parse().unwrap(),
        board: BOARD.to_owned(),
        length: bytes.len().try_into().unwrap(),
        sha256: Hash::of(bytes),
        loader: Some("257".to_owned()),
    }
}

/// A file as the firmware starts it: headers, one section with the version, and a body that tells every KiB from the others.
pub(crate) fn slot(version: &str, kib: usize) -> Vec<u8> {
    let osrel = format!("ID=hearth\nIMAGE_VERSION={version}\n");
    let length = u32::try_from(osrel.len()).unwrap().to_le_bytes();
    let mut bytes = vec![0; 0x40];
    bytes[..2].copy_from_slice(b"MZ");
    bytes[0x3c] = 0x40;
    bytes.extend(b"PE\0\0\x64\x86\x01\0");
    bytes.extend([0; 12]);
    bytes.extend([240, 0, 0x22, 0]);
    let mut optional = vec![0; 240];
    optional[..2].copy_from_slice(&0x20b_u16.to_le_bytes());
    optional[108] = 16;
    bytes.extend(optional);
    let at = u32::try_from(bytes.len() + 40).unwrap();
    bytes.extend(b".osrel\0\0");
    bytes.extend(length);
    bytes.extend([0; 4]);
    bytes.extend(length);
    bytes.extend(at.to_le_bytes());
    bytes.extend([0; 16]);
    bytes.extend(osrel.bytes());
    for block in 0..kib {
        let line = format!("block {block} of {version} ");
        bytes.extend(line.bytes().cycle().take(1024));
    }
    bytes
}

pub(crate) fn ran(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The bytes of a slot's file.
pub(crate) fn bytes_of(it: &Box, name: &str) -> Vec<u8> {
    fs::read(Path::new(&it.places.slots()).join(name)).unwrap()
}
