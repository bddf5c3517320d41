//! A new system is put together from programs of the one that runs.

use crate::harness::places;
use crate::updates_world::Home;
use crate::updates_world::World;
use crate::updates_world::place;
use std::fs;
use std::path::Path;
use std::process::Command;
use update::publish::DEFAULT_CUT;
use update::publish::Program;
use update::publish::SEGMENT;
use update::publish::pack;
use update::publish::remake;
use update::remake::Packing;

const HOSTD: &str = "usr/lib/hearth/hostd";
const PACKING: Packing = Packing { cluster: 65_536, segment: SEGMENT, level: 12 };

fn program(change: &[u8]) -> Vec<u8> {
    let code = (0..120_000_u32).flat_map(|at| (at.wrapping_mul(40_503) >> 18).to_le_bytes());
    let mut bytes: Vec<u8> = code.collect();
    bytes.splice(200_000..200_000, change.iter().copied());
    bytes
}

fn root(folder: &Path, program: &[u8]) -> Vec<u8> {
    let (root, image) = (folder.join("root"), folder.join("root.erofs"));
    fs::create_dir_all(root.join("usr/lib/hearth")).unwrap();
    fs::write(root.join(HOSTD), program).unwrap();
    let mut mkfs = Command::new("mkfs.erofs");
    mkfs.args(["-zlz4hc,12", "-C65536", "-T0", "--all-root", "-x-1", "--quiet"]).arg(&image).arg(&root);
    let made = mkfs.output().unwrap_or_else(|error| panic!("mkfs.erofs (package erofs-utils): {error}"));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    fs::read(image).unwrap()
}

#[tokio::test]
async fn chunks_of_a_changed_program_are_not_fetched() {
    let world = World::new();
    let (old, new) = (program(b""), program(b"something new"));
    let slot = root(world.folder.path(), &new);
    let mut archive = pack(&slot, DEFAULT_CUT).unwrap();
    let programs = [Program { path: HOSTD, old: &old, new: &new }];
    let made = remake(&slot, &"1".parse().unwrap(), &programs, PACKING).unwrap().file.unwrap();
    let file = made.header.files[0].clone();
    archive.remakes.push(made);
    world.add_archive(&place("x86_64", "stable"), "2", &slot, &archive);
    // Nobody can fetch the program, nor the slot file as a whole.
    let targets = world.path().join("targets/x86_64/stable");
    for entry in fs::read_dir(&targets).unwrap() {
        let path = entry.unwrap().path();
        match path.extension().unwrap().to_str().unwrap() {
            "efi" => fs::remove_file(path).unwrap(),
            "chunks" => {
                let mut bytes = fs::read(&path).unwrap();
                let mut at = usize::try_from(archive.chunks.header_length).unwrap();
                let inside =
                    |start: u64, length: u32| file.offset <= start && start + u64::from(length) <= file.end();
                let mut hidden: Vec<usize> = Vec::new();
                for (start, index, chunk) in archive.header.places() {
                    if inside(start, chunk.length) {
                        hidden.push(index);
                    }
                }
                assert!(hidden.len() > 2, "{hidden:?}");
                for (index, chunk) in archive.header.chunks.iter().enumerate() {
                    let end = at + usize::try_from(chunk.stored).unwrap();
                    if hidden.contains(&index) {
                        bytes[at..end].fill(0);
                    }
                    at = end;
                }
                fs::write(&path, bytes).unwrap();
            }
            _remakes => {}
        }
    }
    let home = Home::new(&world).await;
    let running = places(home.router.folder.path()).root.join(HOSTD);
    home.check("failed").await;
    fs::create_dir_all(running.parent().unwrap()).unwrap();
    fs::write(&running, &old).unwrap();
    home.check("ready").await;
    assert!(home.fetched().unwrap() == slot);
}
