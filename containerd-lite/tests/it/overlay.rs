//! Layers over each other, as the kernel's overlayfs sees them: needs the right to mount.

#[cfg(feature = "rooted")]
mod rooted {
    use crate::world::go_on;
    use crate::world::image;
    use crate::world::layer_with;
    use crate::world::limits;
    use crate::world::store_of;
    use crate::world::write_layout;
    use containerd_lite::image::import::import;
    use containerd_lite::image::store::Disk;
    use containerd_lite::image::unpack::Owners;
    use std::fs::File;
    use std::process::Command;
    use tar::EntryType;

    fn entry(path: &str) -> (EntryType, &str, &str) {
        let kind = if path.ends_with('/') { EntryType::Directory } else { EntryType::Regular };
        (kind, path, "")
    }

    /// Imports an image of these layers, mounts it, and says what is in it: files with their content, folders with a slash.
    fn seen(layers: &[(&[&str], &[u8])]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let layers: Vec<Vec<u8>> = layers
            .iter()
            .map(|(paths, content)| {
                layer_with(&paths.iter().map(|path| entry(path)).collect::<Vec<_>>(), content)
            })
            .collect();
        write_layout(&folder.path().join("layout"), &image(&layers), "app");
        let owners = Owners::Range { first: 0x7000_0000 };
        let store = store_of(&folder.path().join("store"), (Disk::default(), limits(), owners)).unwrap();
        let layout = File::open(folder.path().join("layout")).unwrap();
        let kept = import(&store, layout, None, &"localhost/app".parse().unwrap(), &go_on).unwrap();
        let mut lower: Vec<String> =
            store.layers(&kept).iter().map(|layer| layer.to_str().unwrap().to_owned()).collect();
        lower.reverse();
        let root = folder.path().join("root");
        std::fs::create_dir(&root).unwrap();
        let options = format!("userxattr,lowerdir={}:{}", lower.join(":"), empty(&folder));
        // In a mount namespace of its own, which takes the mount with it.
        let script = "mount -t overlay overlay -o \"$1\" \"$2\" && cd \"$2\" && find . -mindepth 1 \
            \\( -type d -printf '%P/\\n' \\) -o \\( -printf '%P=' -exec cat '{}' ';' -printf '\\n' \\)";
        let done = Command::new("unshare")
            .args(["--mount", "sh", "-c", script, "sh", &options, root.to_str().unwrap()])
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let mut lines: Vec<String> =
            String::from_utf8(done.stdout).unwrap().lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// Overlayfs wants two folders at least.
    fn empty(folder: &tempfile::TempDir) -> String {
        let empty = folder.path().join("empty");
        std::fs::create_dir(&empty).unwrap();
        empty.to_str().unwrap().to_owned()
    }

    #[test]
    fn higher_layers_hide_replace_and_add() {
        let base: (&[&str], &[u8]) = (&["d/", "d/a", "d/b", "e/", "e/a", "f", "g"], b"1");
        for (what, above, wanted) in [
            ("add", vec![(&["d/c"][..], &b"2"[..])], "d/ d/a= d/b= d/c=2 e/ e/a= f= g=1"),
            ("hide", vec![(&["d/.wh.a", ".wh.e", ".wh.f"][..], b"")], "d/ d/b= g=1"),
            (
                "replace all of a folder",
                vec![(&["d/", "d/.wh..wh..opq", "d/n"][..], b"2")],
                "d/ d/n=2 e/ e/a= f= g=1",
            ),
            ("file for a folder", vec![(&["d"][..], b"2")], "d=2 e/ e/a= f= g=1"),
            ("folder for a file", vec![(&["g/", "g/x"][..], b"2")], "d/ d/a= d/b= e/ e/a= f= g/ g/x=2"),
            (
                "file for a folder, then a folder again",
                vec![(&["d"][..], b"2"), (&["d/", "d/n"][..], b"3")],
                "d/ d/n=3 e/ e/a= f= g=1",
            ),
            (
                "hidden, then made anew",
                vec![(&[".wh.d"][..], b""), (&["d/n"][..], b"3")],
                "d/ d/n=3 e/ e/a= f= g=1",
            ),
            (
                "hidden and made anew in one layer",
                vec![(&[".wh.d", "d/", "d/n"][..], b"2")],
                "d/ d/n=2 e/ e/a= f= g=1",
            ),
            // Of the root overlayfs itself does not obey it.
            ("replace everything", vec![(&[".wh..wh..opq", "n"][..], b"2"), (&["m"][..], b"3")], "m=3 n=2"),
            // The same layer twice, as the empty ones of many images.
            ("undone", vec![(&[".wh.d", ".wh.g"][..], b""), base], "d/ d/a= d/b= e/ e/a= f= g=1"),
        ] {
            let layers: Vec<_> = [base].into_iter().chain(above).collect();
            assert_eq!(seen(&layers).join(" "), wanted, "{what}");
        }
    }
}
