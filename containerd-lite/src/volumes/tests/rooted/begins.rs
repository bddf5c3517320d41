//! What new volumes begin with.

use super::super::*;
use crate::runtime::IMAGE_IDS;
use std::os::unix::fs::chown;
use std::os::unix::fs::symlink;

/// Layers with these files, whose text is their path; a name that ends with `/` is a folder. All belongs to this user of the image.
fn layers(place: &Path, files: [&[&str]; 2]) -> Vec<PathBuf> {
    let layer = |(number, files): (usize, &&[&str])| {
        let layer = place.join(format!("layer{number}"));
        fs::create_dir(&layer).unwrap();
        for file in *files {
            let path = layer.join(file);
            if file.ends_with('/') {
                fs::create_dir_all(&path).unwrap();
            } else {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, file).unwrap();
            }
        }
        let mut all = vec![layer.clone()];
        while let Some(path) = all.pop() {
            let id = IMAGE_IDS + 33;
            chown(&path, Some(id), Some(id + u32::try_from(number).unwrap())).unwrap();
            if path.is_dir() {
                all.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
        layer
    };
    files.iter().enumerate().map(layer).collect()
}

#[test]
fn a_new_volume_begins_with_what_the_image_has_there() {
    let place = tempfile::tempdir().unwrap();
    let layers = layers(
        place.path(),
        [&["srv/site/index", "srv/site/old/page", "data/"], &["srv/site/new", "srv/site/old/"]],
    );
    // What overlayfs reads as "all below is gone".
    let gone = layers[1].join("srv/site/old");
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(&gone, "user.overlay.opaque", b"y", flags).unwrap();
    symlink("/srv/site", layers[1].join("www")).unwrap();
    fs::set_permissions(layers[0].join("data"), fs::Permissions::from_mode(0o2770)).unwrap();
    let volumes = Volumes::new(&place.path().join("apps"), 0);
    let wanted = [
        ("site", "/srv/site"),
        ("linked", "/www/"),
        ("data", "/data"),
        ("none", "/none"),
        ("out", "/../../data"),
    ]
    .map(|(volume, target)| (name(volume), target));
    volumes.ensure(&app(), &layers, wanted.iter().map(|(volume, target)| (volume, *target))).unwrap();
    let found: BTreeMap<_, _> = content(&volumes).into_iter().collect();
    let expected = ["site", "linked"].into_iter().flat_map(|volume| {
        let file = |file: &str| (PathBuf::from(volume).join(file), format!("srv/site/{file}"));
        [file("index"), file("new")]
    });
    assert_eq!(found, expected.collect());
    let facts = |volume: &str| {
        let facts = fs::metadata(volumes.folder(&app()).join(volume)).unwrap();
        (facts.uid() - IMAGE_IDS, facts.gid() - IMAGE_IDS, facts.mode() & 0o7777)
    };
    assert_eq!(["site", "data", "none"].map(facts), [(33, 34, 0o755), (33, 33, 0o2770), (0, 0, 0o755)]);
    assert_eq!(facts("out"), facts("data"), "nothing leads out of the image");
    assert_eq!((facts("site/index"), facts("site/new").1), ((33, 33, 0o644), 34));
    // It is there now, and is the app's.
    fs::remove_file(volumes.folder(&app()).join("site/index")).unwrap();
    volumes.ensure(&app(), &layers, [(&name("site"), "/srv/site")]).unwrap();
    assert!(!volumes.folder(&app()).join("site/index").exists());
}

#[test]
fn a_folder_that_nobody_of_the_image_owns_counts_for_nothing() {
    let place = tempfile::tempdir().unwrap();
    let layers = layers(place.path(), [&["data/file"], &[]]);
    chown(layers[0].join("data"), Some(0), Some(0)).unwrap();
    let volumes = Volumes::new(&place.path().join("apps"), 0);
    volumes.ensure(&app(), &layers[..1], [(&name("data"), "/data")]).unwrap();
    assert!(content(&volumes).is_empty());
    let full = Volumes::new(&place.path().join("apps"), u64::MAX);
    chown(layers[0].join("data"), Some(IMAGE_IDS), Some(IMAGE_IDS)).unwrap();
    let refused = full.ensure(&app(), &layers[..1], [(&name("more"), "/data")]).unwrap_err();
    assert!(matches!(refused, VolumeError::Copy(CopyError::NoRoom { .. })), "{refused:?}");
    assert!(!volumes.folder(&app()).join("more").exists());
}
