//! The owner's command line of a Hearth box.

fn main() {}
