//! Tells the compiler of `cfg(fuzzing_libfuzzer)`, which `cargo xtask fuzz` sets.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(fuzzing_libfuzzer)");
    println!("cargo::rerun-if-changed=build.rs");
}
