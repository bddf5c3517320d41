//! The store of images against the confined program, files, registries that lie, and a real one; the daemon with a runtime in memory.

#[cfg(test)]
mod bad_images;
#[cfg(test)]
mod confined;
#[cfg(test)]
mod cuts;
#[cfg(test)]
mod daemon;
#[cfg(test)]
mod import;
#[cfg(test)]
mod overlay;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod tools;
#[cfg(test)]
mod world;
