//! Offline bundles.

use crate::support::DAY;
use crate::support::World;
use crate::support::slot;
use std::fs;
use update::Asker;
use update::Bundle;
use update::BundleError;
use update::Clock;
use update::Folder;
use update::LoadError;
use update::Refused;
use update::Role;
use update::Trust;

const LENGTH: usize = 600_000;

fn bundle(world: &World) -> Vec<u8> {
    let mut bytes = Vec::new();
    world
        .repository()
        .bundle(&world.repository().catalog().unwrap().releases()[0].clone(), &mut bytes)
        .unwrap();
    bytes
}

/// Takes a bundle as a box does.
fn apply(world: &World, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let bundle = Bundle::open(bytes).map_err(|error| format!("{error:?}"))?;
    let catalog = bundle
        .catalog(&world.root, &world.store(), &world.clock(), Asker::Owner)
        .map_err(|error| format!("{error:?}"))?;
    let release = bundle.release(&catalog).map_err(|error| format!("{error:?}"))?.clone();
    let mut out = Vec::new();
    bundle.copy_slot(&release, &mut out, &mut |_written| {}).map_err(|error| format!("{error:?}"))?;
    Ok(out)
}

#[test]
fn a_bundle_is_all_that_is_needed() {
    let world = World::with(&[("1", 1)]);
    let bytes = bundle(&world);
    assert!(apply(&world, &bytes).unwrap() == slot(1, LENGTH));
    // What is saved of it is checked again by somebody else.
    let aside = tempfile::tempdir().unwrap();
    Bundle::open(bytes.as_slice()).unwrap().save_metadata(aside.path()).unwrap();
    let permit = update::Permit { asker: Asker::Owner, origin: update::Origin::Bundle };
    let source = Folder::new(aside.path().to_owned());
    update::Catalog::load(&source, &world.root, &world.store(), &world.clock(), permit).unwrap();
    // Without a clock, an owner may.
    let clock = Clock { system: 0, at_least: world.now, trust: Trust::Unsure };
    let opened = Bundle::open(bytes.as_slice()).unwrap();
    opened.catalog(&world.root, &world.store(), &clock, Asker::Owner).unwrap();
    opened.catalog(&world.root, &world.store(), &clock, Asker::Box).unwrap_err();
}

#[test]
fn an_older_timestamp_is_borne_and_an_older_list_is_not() {
    let world = World::with(&[("1", 1)]);
    let bytes = bundle(&world);
    world.refresh();
    world.load().unwrap();
    apply(&world, &bytes).unwrap();
    // The box still knows the newer one.
    let kept = fs::read(world.folder.path().join("store/timestamp.json")).unwrap();
    assert_eq!(kept, fs::read(world.metadata("timestamp.json")).unwrap());
    world.edit("1", |custom| custom.paused = Some(slots::Words::new("bad")));
    world.load().unwrap();
    let opened = Bundle::open(bytes.as_slice()).unwrap();
    let error = opened.catalog(&world.root, &world.store(), &world.clock(), Asker::Owner).unwrap_err();
    assert!(matches!(error, LoadError::Refused(Refused::Older { role: Role::Targets, .. })), "{error:?}");
    // A box that saw nothing newer takes it as long as it has not expired.
    apply(&World { root: world.root.clone(), ..World::new() }, &bytes).unwrap();
    let late = World { root: world.root.clone(), now: world.now + 31 * DAY, ..World::new() };
    assert!(apply(&late, &bytes).unwrap_err().contains("Expired"));
}

#[test]
fn cut_off_and_changed_bundles_are_refused() {
    let world = World::with(&[("1", 1)]);
    let bytes = bundle(&world);
    let end = bytes.len() - 1024 - (512 - LENGTH % 512) % 512;
    for cut in (0..end).step_by(997) {
        apply(&world, &bytes[..cut]).unwrap_err(); // {cut}
    }
    for at in (0..end).step_by(4999) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x11;
        // The padding of a file says nothing.
        if let Ok(out) = apply(&world, &changed) {
            assert!(out == slot(1, LENGTH), "{at}");
        }
    }
}

#[test]
fn a_bundle_of_another_board_names_its_board() {
    let world = World::new();
    world.add(&crate::support::place("rpi4", "stable"), "1", &slot(1, 10_000));
    let bytes = bundle(&world);
    let opened = Bundle::open(bytes.as_slice()).unwrap();
    let catalog = opened.catalog(&world.root, &world.store(), &world.clock(), Asker::Owner).unwrap();
    let release = opened.release(&catalog).unwrap();
    let found = catalog.find(&crate::support::home(), &release.version, None);
    assert!(matches!(found, Err(update::Unfit::OtherBoard { .. })));
}

fn tar(entries: &[(&str, tar::EntryType, u64, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (path, kind, size, content) in entries {
        let mut header = tar::Header::new_ustar();
        let name = &mut header.as_old_mut().name;
        name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(*size);
        header.set_cksum();
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(content);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

#[test]
fn strange_entries_are_refused_before_they_are_read() {
    let file = tar::EntryType::Regular;
    let open = |bytes: &[u8]| Bundle::open(bytes).map(|_bundle| ()).unwrap_err();
    for path in
        ["metadata/../timestamp.json", "metadata//etc/passwd", "metadata/timestamp.json.new", "metadata/"]
    {
        assert!(matches!(open(&tar(&[(path, file, 1, b"x")])), BundleError::Format { .. }), "{path}");
    }
    for kind in [
        tar::EntryType::Symlink,
        tar::EntryType::GNULongName,
        tar::EntryType::XHeader,
        tar::EntryType::Directory,
    ] {
        let error = open(&tar(&[("metadata/timestamp.json", kind, 1 << 40, b"x")]));
        assert!(matches!(error, BundleError::Format { .. }), "{kind:?}");
    }
    for size in [5 << 20, u64::MAX / 2] {
        assert!(matches!(
            open(&tar(&[("metadata/timestamp.json", file, size, b"x")])),
            BundleError::TooLarge
        ));
        assert!(matches!(
            open(&tar(&[("targets/x", file, size << 6 | 1 << 30, b"x")])),
            BundleError::Format { .. }
        ));
    }
    let twice = [("metadata/timestamp.json", file, 1, &b"x"[..]), ("metadata/timestamp.json", file, 1, b"x")];
    assert!(matches!(open(&tar(&twice)), BundleError::Format { .. }));
    assert!(matches!(open(b""), BundleError::Truncated));
    assert!(matches!(open(&[0; 2048]), BundleError::Format { .. }));
    let many: Vec<String> = (1..200).map(|at| format!("metadata/{at}.root.json")).collect();
    let many: Vec<_> = many.iter().map(|path| (path.as_str(), file, 1, &b"x"[..])).collect();
    assert!(matches!(open(&tar(&many)), BundleError::TooLarge));
    // A name that leads elsewhere is no name of a release.
    let world = World::with(&[("1", 1)]);
    let bytes = bundle(&world);
    let slot_at = bytes.windows(8).position(|window| window == b"targets/").unwrap();
    let slot_header = bytes.chunks(512).position(|block| block.starts_with(b"targets/")).unwrap();
    assert!(slot_at <= slot_header * 512);
    let mut moved = bytes[..slot_header * 512].to_vec();
    moved.extend(tar(&[("../../boot/EFI/x.efi", file, LENGTH as u64, &slot(1, LENGTH))]));
    assert!(apply(&world, &moved).unwrap_err().contains("OtherSlot"));
}
