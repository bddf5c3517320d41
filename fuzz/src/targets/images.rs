//! Images of apps: their names, documents and layers.

use super::ignore;
use super::text;
use crate::Target;
use containerd_lite::image::Limits;
use containerd_lite::image::Reference;
use containerd_lite::image::decompress::Bounds;
use containerd_lite::image::decompress::decompress;
use containerd_lite::image::manifest;
use containerd_lite::image::tar::Walk;
use std::io;

/// What comes out of a layer may be this long.
const BOUNDS: Bounds = Bounds { layer: 1 << 20, ratio: 1 << 20, compressed: 0, free: 1 << 20, reserve: 0 };

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "image-reference",
        source: "people, and files of apps",
        longest: 512,
        run: |bytes| {
            let Some(Ok(reference)) = text(bytes).map(str::parse::<Reference>) else { return };
            let again: Reference = reference.to_string().parse().expect("what was written can be read");
            assert_eq!(again, reference, "a name is read otherwise");
        },
    },
    Target {
        name: "image-manifest",
        source: "registries",
        longest: 4096,
        run: |bytes| {
            ignore(manifest::parse_config(bytes, &Limits::default()));
            let Ok(manifest::Document::Manifest(read)) = manifest::parse(bytes, None, &Limits::default())
            else {
                return;
            };
            let written = manifest::write(&read.config, &read.layers);
            let again =
                manifest::parse(&written, None, &Limits::default()).expect("what was written can be read");
            assert_eq!(again, manifest::Document::Manifest(read), "a manifest is read otherwise");
        },
    },
    Target {
        name: "image-layer",
        source: "registries",
        longest: 16384,
        run: |bytes| {
            let Ok(stream) = decompress(bytes, BOUNDS) else { return };
            let mut walk = Walk::new(stream, Limits { entries: 1000, ..Limits::default() });
            while let Ok(Some(_entry)) = walk.next_entry() {
                ignore(io::copy(&mut walk, &mut io::sink()));
            }
        },
    },
];
