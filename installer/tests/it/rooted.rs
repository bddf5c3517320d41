//! Needs root, loop devices and `mke2fs`. The file system is ext2, which every kernel has and which, like FAT, has no journal; FAT itself is
//! seen by the tests that boot machines.

mod box_of_files;
mod content;
mod cuts;
mod life;
mod program;
