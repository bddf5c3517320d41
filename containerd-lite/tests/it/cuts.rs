//! The power goes before each change of the disk that the store makes: afterwards all that it has is whole, and the same can be done again.

use crate::world::go_on;
use crate::world::image;
use crate::world::layer;
use crate::world::limits;
use crate::world::store;
use crate::world::try_store;
use crate::world::write_layout;
use containerd_lite::image::Reference;
use containerd_lite::image::Store;
use containerd_lite::image::import::import;
use containerd_lite::image::store::Collected;
use containerd_lite::image::store::Disk;
use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

/// A disk that makes so many changes and no more.
fn cut_after(changes: usize) -> Disk {
    let made = AtomicUsize::new(0);
    Disk::watched(move |_doing| {
        if made.fetch_add(1, Ordering::SeqCst) < changes {
            Ok(())
        } else {
            Err(io::Error::other("the power is gone"))
        }
    })
}

fn name(text: &str) -> Reference {
    text.parse().unwrap()
}

/// Whatever a record names is there, and is what it was.
fn is_whole(store: &Store) {
    for image in store.images().unwrap() {
        store.document(image.manifest).unwrap();
        store.config(&image).unwrap();
        for layer in store.layers(&image) {
            assert_eq!(fs::read_dir(layer).unwrap().count(), 1);
        }
    }
}

fn take_in(store: &Store, folder: &Path, which: &str) -> bool {
    let name = name(&format!("localhost/{which}"));
    import(store, File::open(folder.join(which)).unwrap(), None, &name, &go_on).is_ok()
}

/// The whole life of a store: two images that share a layer, one leaves, what is left over is collected.
fn live(store: &Store, folder: &Path) -> bool {
    take_in(store, folder, "one")
        && take_in(store, folder, "two")
        && store.remove(&name("localhost/one")).is_ok()
        && store.collect().is_ok()
}

#[test]
fn a_cut_before_any_change_leaves_a_sound_store() {
    let folder = tempfile::tempdir().unwrap();
    let shared = layer("shared", b"s");
    write_layout(&folder.path().join("one"), &image(&[shared.clone(), layer("one", b"1")]), "one");
    write_layout(&folder.path().join("two"), &image(&[shared, layer("two", b"2")]), "two");
    let mut cuts = 0;
    loop {
        let root = folder.path().join(format!("store-{cuts}"));
        let done = try_store(&root, cut_after(cuts), limits()).is_ok_and(|store| live(&store, folder.path()));
        let again = store(&root);
        is_whole(&again);
        assert_eq!(fs::read_dir(root.join("staging")).unwrap().count(), 0);
        assert!(done || live(&again, folder.path()), "after {cuts} changes");
        is_whole(&again);
        assert_eq!(again.images().unwrap().len(), 1);
        assert_eq!(fs::read_dir(root.join("layers")).unwrap().count(), 2);
        assert_eq!(again.collect().unwrap(), Collected::default());
        if done {
            break;
        }
        cuts += 1;
        assert!(cuts < 200, "it never ends");
    }
    assert!(cuts > 30, "{cuts} changes are too few to be all");
}
