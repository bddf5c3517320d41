//! Releases as `docs/releasing.md` makes them: with `cargo xtask publish`, from the built image, up to a box's answer. No machine is started.

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use qemu_tests::Artifacts;
use qemu_tests::artifacts::target;
use qemu_tests::scenario::scenario;
use qemu_tests::slots;
use serde_json::Value;
use std::fs;
use std::fs::File;
use std::io::Cursor;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;
use update::Asker;
use update::Bundle;
use update::Catalog;
use update::Clock;
use update::Flow;
use update::Folder;
use update::Job;
use update::LoadError;
use update::Origin;
use update::Permit;
use update::Place;
use update::Progress;
use update::Seed;
use update::Store;
use update::Trust;
use update::Turn;
use update::Watch;

const BOARD: &str = "x86_64";
const CHANNEL: &str = "stable";
const OLD: &str = "0.1.0";
const NEW: &str = "0.1.1";

#[test]
fn releases_are_made_signed_and_taken_as_the_documents_say() {
    scenario("publishing", |folder| {
        let artifacts = Artifacts::load()?;
        let office = Office::open(folder)?;
        office.makes_keys_and_an_empty_list()?;
        office.releases_the_built_image()?;
        office.releases_the_next_one(&artifacts)?;
        office.rolls_out_slowly_and_stops()?;
        office.gets_to_a_box(&artifacts)?;
        office.changes_a_key()
    });
}

/// Where releases are made: keys, drafts, the repository.
struct Office {
    folder: PathBuf,
}

impl Office {
    fn open(folder: &Path) -> Result<Self> {
        let office = Self { folder: folder.to_owned() };
        for key in ["alice-root", "bob-root", "carol-root", "alice-targets", "s", "t"] {
            office.publish(&["key", key])?;
        }
        office.openssl("genpkey -algorithm ed25519 -out bob-targets.pem")?;
        office.openssl("pkey -in bob-targets.pem -pubout -out bob-targets.pub")?;
        Ok(office)
    }

    /// In the place of a token, which makes keys and signs bytes.
    fn openssl(&self, words: &str) -> Result<()> {
        let done = Command::new("openssl").current_dir(&self.folder).args(words.split(' ')).output()?;
        ensure!(done.status.success(), "openssl {words}: {}", String::from_utf8_lossy(&done.stderr));
        Ok(())
    }

    /// What a person would type, in this folder.
    fn publish(&self, arguments: &[&str]) -> Result<String> {
        let said = Command::new(target().join("release/xtask"))
            .current_dir(&self.folder)
            .arg("publish")
            .args(arguments)
            .output()
            .context("cannot run xtask, which `cargo xtask` builds")?;
        let words = String::from_utf8_lossy(&said.stderr).into_owned();
        ensure!(said.status.success(), "publish {}: {words}", arguments.join(" "));
        Ok(words)
    }

    /// The reason why this is not done.
    fn refused(&self, arguments: &[&str]) -> Result<String> {
        match self.publish(arguments) {
            Ok(_words) => anyhow::bail!("publish {} was done", arguments.join(" ")),
            Err(error) => Ok(error.to_string()),
        }
    }

    /// A file of the metadata, or none.
    fn metadata(&self, name: &str) -> PathBuf {
        self.folder.join("R/metadata").join(name)
    }

    fn commit_list(&self) -> [&'static str; 9] {
        [
            "commit",
            "--repository",
            "R",
            "--targets",
            "list.json",
            "--snapshot-key",
            "s.pem",
            "--timestamp-key",
            "t.pem",
        ]
    }

    fn makes_keys_and_an_empty_list(&self) -> Result<()> {
        self.draft_keys(&["alice-root.pub", "bob-root.pub", "carol-root.pub"])?;
        self.publish(&["renew", "--repository", "R", "--draft", "list.json"])?;
        let commit =
            [&["commit", "--repository", "R", "--root", "root.json"], &self.commit_list()[3..]].concat();
        self.publish(&["sign", "root.json", "--key", "alice-root.pem"])?;
        println!("with one signature of two: {}", self.refused(&commit)?);
        ensure!(!self.metadata("1.root.json").exists(), "keys that one person signed");
        self.publish(&["sign", "root.json", "--key", "carol-root.pem"])?;
        self.publish(&["sign", "list.json", "--key", "alice-targets.pem"])?;
        self.publish(&["sign", "list.json", "--key", "bob-targets.pem"])?;
        self.publish(&commit)?;
        ensure!(self.load()?.releases().is_empty(), "a new repository has releases");
        Ok(())
    }

    fn draft_keys(&self, root: &[&str]) -> Result<()> {
        let first = ["root", "--repository", "R", "--draft", "root.json", "--root"];
        let rest = [
            "--targets",
            "alice-targets.pub",
            "bob-targets.pub",
            "--snapshot",
            "s.pub",
            "--timestamp",
            "t.pub",
        ];
        self.publish(&[&first[..], root, &rest[..]].concat()).map(drop)
    }

    fn releases_the_built_image(&self) -> Result<()> {
        fs::write(self.folder.join("notes.txt"), "The first one.")?;
        let add = [
            "add",
            "--repository",
            "R",
            "--draft",
            "list.json",
            "--channel",
            CHANNEL,
            "--notes",
            "notes.txt",
        ];
        let words = self.refused(&[&add[..], &["--loader", "9999"]].concat())?;
        ensure!(words.contains("loader"), "a loader that the image does not bring: {words}");
        self.publish(&add)?;
        self.publish(&["sign", "list.json", "--key", "alice-targets.pem"])?;
        println!("with one signature of two: {}", self.refused(&self.commit_list())?);
        ensure!(self.load()?.releases().is_empty(), "one person released");

        // Bob's key is in a token, which signs bytes and nothing else.
        self.publish(&["payload", "list.json", "list.payload"])?;
        self.openssl("pkeyutl -sign -rawin -inkey bob-targets.pem -in list.payload -out list.sig")?;
        let put_in = |public| ["sign", "list.json", "--signature", "list.sig", "--public", public];
        println!("under another name: {}", self.refused(&put_in("s.pub"))?);
        self.publish(&put_in("bob-targets.pub"))?;
        self.publish(&self.commit_list())?;
        let catalog = self.load()?;
        let [release] = catalog.releases() else { anyhow::bail!("{catalog:?}") };
        ensure!(release.version.as_str() == OLD && release.notes.as_str() == "The first one.", "{release:?}");
        Ok(())
    }

    fn releases_the_next_one(&self, artifacts: &Artifacts) -> Result<()> {
        let next = self.folder.join("next");
        fs::create_dir(&next)?;
        fs::write(next.join("slot.efi"), slots::update(artifacts, NEW, "")?)?;
        let built = artifacts.slot.parent().context("the slot file lies nowhere")?;
        let mut manifest: Value = serde_json::from_slice(&fs::read(built.join("manifest.json"))?)?;
        manifest["version"] = NEW.into();
        fs::write(next.join("manifest.json"), manifest.to_string())?;
        std::os::unix::fs::symlink(built.join("root"), next.join("root"))?;
        let add =
            ["add", "--repository", "R", "--draft", "list.json", "--channel", CHANNEL, "--image", "next"];
        self.publish(&add)?;
        self.sign_and_commit_list()?;
        ensure!(self.load()?.releases().len() == 2, "the list has not both");
        Ok(())
    }

    fn sign_and_commit_list(&self) -> Result<()> {
        self.publish(&["sign", "list.json", "--key", "alice-targets.pem"])?;
        self.publish(&["sign", "list.json", "--key", "bob-targets.pem"])?;
        self.publish(&self.commit_list()).map(drop)
    }

    fn rolls_out_slowly_and_stops(&self) -> Result<()> {
        let which = [
            "--repository",
            "R",
            "--board",
            BOARD,
            "--channel",
            CHANNEL,
            "--version",
            NEW,
            "--draft",
            "list.json",
        ];
        let turn = |office: &Self, identity: &[u8]| -> Result<Turn> {
            let choice = office.load()?.choose(&place()?, &OLD.parse()?, identity);
            Ok(choice.offers().first().context("nothing is offered")?.turn.clone())
        };
        self.publish(&[&["rollout"], &which[..], &["--percent", "25"]].concat())?;
        self.sign_and_commit_list()?;
        let boxes = (0..100_u8).map(|number| turn(self, &[number; 16])).collect::<Result<Vec<_>>>()?;
        let taken = boxes.iter().filter(|turn| **turn == Turn::Now).count();
        ensure!((10..=40).contains(&taken), "{taken} of 100 boxes");
        self.publish(&[&["pause"], &which[..], &["--why", "netd loses its address"]].concat())?;
        self.sign_and_commit_list()?;
        let paused = format!("{:?}", turn(self, &[1; 16])?);
        ensure!(paused.contains("netd loses its address"), "{paused}");
        self.publish(&[&["pause"], &which[..]].concat())?;
        self.sign_and_commit_list()?;
        self.publish(&[&["rollout"], &which[..], &["--percent", "100"]].concat())?;
        self.sign_and_commit_list()?;
        ensure!(turn(self, &[1; 16])? == Turn::Now, "nobody gets it");
        // By a timer, without drafts: only the dates are new.
        self.publish(&[&self.commit_list()[..3], &self.commit_list()[5..]].concat()).map(drop)
    }

    /// What a box fetches, or reads from a file, is the slot file byte for byte.
    fn gets_to_a_box(&self, artifacts: &Artifacts) -> Result<()> {
        let (old, new) = (fs::read(&artifacts.slot)?, fs::read(self.folder.join("next/slot.efi"))?);
        let catalog = self.load()?;
        let release = catalog.find(&place()?, &NEW.parse()?, None)?;
        let path = self.folder.join("fetched.efi");
        let mut file = File::options().read(true).write(true).create_new(true).open(&path)?;
        let seeds = vec![Seed { name: OLD.to_owned(), reader: Box::new(Cursor::new(old)) }];
        let job = Job { release, source: &self.source(), seeds, running: None };
        let outcome = job.run(&mut file, &mut Patient)?;
        ensure!(fs::read(&path)? == new, "the box has something else");
        println!("{NEW} beside {OLD}: {} of {} bytes fetched", outcome.progress.fetched, new.len());
        ensure!(outcome.progress.fetched < 4 << 20, "{outcome:?}");

        let which = ["--repository", "R", "--board", BOARD, "--channel", CHANNEL, "--version", NEW];
        self.publish(&[&["bundle"], &which[..], &["file.bundle"]].concat())?;
        let bundle = Bundle::open(File::open(self.folder.join("file.bundle"))?)?;
        let store = Store::open(self.folder.join("box-with-a-file"))?;
        let catalog = bundle.catalog(&self.first_root()?, &store, &clock()?, Asker::Owner)?;
        let release = bundle.release(&catalog)?.clone();
        let path = self.folder.join("brought.efi");
        let mut file = File::options().read(true).write(true).create_new(true).open(&path)?;
        bundle.copy_slot(&release, &mut file, &mut |_written| ())?;
        ensure!(fs::read(&path)? == new, "the file has something else");
        Ok(())
    }

    /// Boxes that know the first list of keys only follow to the next; who has the old key can do nothing more.
    fn changes_a_key(&self) -> Result<()> {
        self.publish(&["key", "dora-root"])?;
        self.draft_keys(&["dora-root.pub", "bob-root.pub", "carol-root.pub"])?;
        let commit =
            [&["commit", "--repository", "R", "--root", "root.json"], &self.commit_list()[3..]].concat();
        self.publish(&["renew", "--repository", "R", "--draft", "list.json"])?;
        self.publish(&["sign", "list.json", "--key", "alice-targets.pem"])?;
        self.publish(&["sign", "list.json", "--key", "bob-targets.pem"])?;
        // A threshold of the new ones, and none of the old.
        self.publish(&["sign", "root.json", "--key", "dora-root.pem"])?;
        self.publish(&["sign", "root.json", "--key", "bob-root.pem"])?;
        println!("without two of the old keys: {}", self.refused(&commit)?);
        ensure!(!self.metadata("2.root.json").exists(), "the old keys were not asked");
        self.publish(&["sign", "root.json", "--key", "carol-root.pem"])?;
        self.publish(&commit)?;
        ensure!(self.metadata("2.root.json").exists(), "there is no second list of keys");
        ensure!(self.load()?.releases().len() == 2, "releases are gone");
        Ok(())
    }

    fn source(&self) -> Folder {
        Folder::new(self.folder.join("R"))
    }

    fn first_root(&self) -> Result<Vec<u8>> {
        fs::read(self.metadata("1.root.json")).context("no first list of keys")
    }

    /// As a box sees it that has the first list of keys in its image, and has been here before.
    fn load(&self) -> Result<Catalog> {
        let store = Store::open(self.folder.join("box"))?;
        let permit = Permit { asker: Asker::Box, origin: Origin::Network };
        let loaded: Result<Catalog, LoadError> =
            Catalog::load(&self.source(), &self.first_root()?, &store, &clock()?, permit);
        Ok(loaded?)
    }
}

struct Patient;

impl Watch for Patient {
    fn progress(&mut self, _progress: &Progress) -> Flow {
        Flow::Go
    }
}

fn place() -> Result<Place> {
    Ok(Place { board: BOARD.parse()?, channel: CHANNEL.parse()? })
}

fn clock() -> Result<Clock> {
    #[expect(
        clippy::disallowed_methods,
        reason = "`cargo xtask publish` takes the time of this machine, too"
    )]
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    Ok(Clock { system: now, at_least: 0, trust: Trust::Sure })
}
