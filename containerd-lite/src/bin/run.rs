//! Starts a container, or runs a program in one, and ends (docs/spec/containers.md).

fn main() -> anyhow::Result<()> {
    containerd_lite::run::helper::run()
}
