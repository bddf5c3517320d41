//! The program that libFuzzer drives. Built by `cargo xtask fuzz`, which sets `cfg(fuzzing)`; alone it only lists the targets.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
mod engine {
    use fuzz::Target;
    use libfuzzer_sys::fuzz_target;
    use std::sync::LazyLock;

    /// The variable that names the target: libFuzzer has the arguments.
    static TARGET: LazyLock<&Target> = LazyLock::new(|| {
        let name = std::env::var("HEARTH_FUZZ_TARGET").expect("HEARTH_FUZZ_TARGET names the target");
        fuzz::find(&name).expect("there is a target of this name")
    });

    fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
}

#[cfg(not(fuzzing))]
#[expect(clippy::print_stdout, reason = "it is made to be read")]
fn main() {
    for target in fuzz::targets() {
        println!("{} {} ({})", target.name, target.longest, target.source);
    }
}
