//! What comes with an image that is put on a disk, and what the tool leaves for the box.

use super::ignore;
use super::text;
use crate::Target;
use flash::block_map::BlockMap;
use flash::fat;
use flash::table;
use model::preset::Preset;

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "block-map",
        source: "whoever the image comes from",
        longest: 4096,
        run: |bytes| {
            let Some(Ok(map)) = text(bytes).map(BlockMap::parse) else { return };
            let again = BlockMap::parse(&map.encode()).expect("what was written can be read");
            assert_eq!(again, map);
            assert!(map.extents().all(|extent| extent.start < extent.end && extent.end <= map.image_size()));
        },
    },
    Target {
        name: "image-edges",
        source: "whoever the image comes from",
        longest: 4096,
        run: |bytes| {
            let partitions = table::partitions(bytes);
            assert!(partitions.iter().all(|partition| partition.extent.start < partition.extent.end));
            if let Some(sector) = bytes.first_chunk::<512>() {
                ignore(fat::geometry(sector, u64::MAX));
            }
        },
    },
    Target {
        name: "preset",
        source: "whoever writes to the boot partition",
        longest: 4096,
        run: |bytes| {
            let Ok(preset) = Preset::parse(bytes) else { return };
            let written = preset.encode().expect("no preset is too long to be written");
            assert_eq!(Preset::parse(&written).expect("what was written can be read"), preset);
            assert!(preset.of_host().wifi.is_none() && preset.of_network().claim_code.is_none());
        },
    },
];
