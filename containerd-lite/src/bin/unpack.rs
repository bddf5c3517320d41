//! The containerd-lite-unpack program: unpacks one layer, confined to one folder (docs/spec/images.md). Not to be run by hand.

fn main() -> anyhow::Result<()> {
    containerd_lite::image::unpack::child::run()
}
