//! Containers on a booted box, started by the runtime of `containerd-lite` itself (docs/spec/containers.md).

mod escapes;
mod given;
mod leftovers;
mod life;
mod probe;

pub(crate) use qemu_tests::containers as world;
