//! Importing: layouts in folders and archives, archives of `docker save`, and what is none of them.

use crate::world::Image;
use crate::world::go_on;
use crate::world::image;
use crate::world::layer;
use crate::world::listing;
use crate::world::store;
use crate::world::write_layout;
use containerd_lite::image::Digest;
use containerd_lite::image::Refused;
use containerd_lite::image::gather::GatherError;
use containerd_lite::image::import::import;
use serde_json::json;
use std::fs;
use std::fs::File;
use std::path::Path;
use tar::Builder;
use tar::Header;

fn sample() -> Image {
    image(&[layer("first", b"1"), layer("second", b"2")])
}

fn pack(folder: &Path, archive: &Path) {
    let mut builder = Builder::new(File::create(archive).unwrap());
    builder.append_dir_all(".", folder).unwrap();
    builder.finish().unwrap();
}

fn docker_archive(path: &Path, image: &Image) {
    let config = image.blobs.iter().find(|(digest, _)| !image.layers.contains(digest)).unwrap();
    let mut builder = Builder::new(File::create(path).unwrap());
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, name, bytes).unwrap();
    };
    add("config.json", config.1);
    for (number, digest) in image.layers.iter().enumerate() {
        add(&format!("{number}/layer.tar"), &image.blobs[digest]);
    }
    let rows =
        json!([{ "Config": "config.json", "RepoTags": ["app:1"], "Layers": ["0/layer.tar", "1/layer.tar"] }]);
    add("manifest.json", rows.to_string().as_bytes());
    builder.finish().unwrap();
}

#[test]
fn the_same_image_comes_out_of_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str| folder.path().join(name);
    write_layout(&of("layout"), &sample(), "app:1");
    pack(&of("layout"), &of("layout.tar"));
    docker_archive(&of("docker.tar"), &sample());
    let store = store(&of("store"));
    for (number, file) in ["layout", "layout.tar", "docker.tar"].iter().enumerate() {
        for wanted in [None, Some("app:1")] {
            let name = format!("localhost/app:{number}").parse().unwrap();
            let kept = import(&store, File::open(of(file)).unwrap(), wanted, &name, &go_on).unwrap();
            assert_eq!(fs::read(store.layers(&kept)[1].join("second")).unwrap(), b"2");
            assert_eq!(store.find(&name).unwrap().unwrap(), kept);
            store.config(&kept).unwrap();
        }
    }
    assert_eq!(fs::read_dir(of("store/layers")).unwrap().count(), 2);
    assert_eq!(store.images().unwrap().len(), 3);
}

#[test]
fn what_is_no_image_or_not_the_wanted_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str| folder.path().join(name);
    write_layout(&of("layout"), &sample(), "app:1");
    fs::write(of("text"), "no archive at all").unwrap();
    fs::create_dir(of("empty")).unwrap();
    write_layout(&of("changed"), &sample(), "app:1");
    let blob = of("changed").join("blobs/sha256").join(sample().layers[0].hex());
    fs::write(&blob, vec![7_u8; fs::metadata(&blob).unwrap().len().try_into().unwrap()]).unwrap();
    write_layout(&of("linked"), &sample(), "app:1");
    let linked = of("linked").join("blobs/sha256").join(sample().layers[0].hex());
    fs::remove_file(&linked).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &linked).unwrap();
    let store = store(&of("store"));
    let before = listing(&of("store"));
    let refused = |file: &str, wanted| {
        let name = "localhost/app".parse().unwrap();
        let error = import(&store, File::open(of(file)).unwrap(), wanted, &name, &go_on).unwrap_err();
        assert_eq!(listing(&of("store")), before);
        let GatherError::Refused(refused) = error else { panic!("{error:?}") };
        refused
    };
    assert_eq!(refused("text", None), Refused::Format);
    assert_eq!(refused("empty", None), Refused::Format);
    assert_eq!(refused("layout", Some("other")), Refused::NoSuchImage { found: "app:1".into() });
    let changed = refused("changed", None);
    assert!(
        matches!(changed, Refused::Digest { expected, .. } if expected == sample().layers[0]),
        "{changed}"
    );
    assert!(matches!(refused("linked", None), Refused::Archive { .. }));
    assert_ne!(Digest::of(&fs::read("/etc/passwd").unwrap()), sample().layers[0]);
}
