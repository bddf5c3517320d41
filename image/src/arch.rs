//! Architectures that images are made for, and all that the rest derives from one.

use serde::Serialize;

/// An architecture that images are made for, by the distribution's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// 64-bit PC.
    Amd64,
    /// 64-bit ARM.
    Arm64,
}

impl Arch {
    /// Parses the distribution's name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Amd64, Self::Arm64].into_iter().find(|arch| arch.name() == name)
    }

    /// Of the machine that this program runs on, if images can be made there.
    #[must_use]
    pub fn of_machine() -> Option<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Self::Amd64),
            "aarch64" => Some(Self::Arm64),
            _ => None,
        }
    }

    /// The distribution's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// The compiler's name of programs for it, as `cargo build --target` takes it.
    #[must_use]
    pub fn triple(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-unknown-linux-gnu",
            Self::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// Folder of shared libraries, below `/usr/lib`; also the first part of the C compiler's name.
    #[must_use]
    pub fn library_folder(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-linux-gnu",
            Self::Arm64 => "aarch64-linux-gnu",
        }
    }

    /// The dynamic loader, as packages install it.
    #[must_use]
    pub fn dynamic_loader(self) -> &'static str {
        match self {
            Self::Amd64 => "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
            Self::Arm64 => "/usr/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1",
        }
    }

    /// What kernel, stub and loader have in the field `Machine` of their PE header.
    #[must_use]
    pub fn pe_machine(self) -> u16 {
        match self {
            Self::Amd64 => 0x8664,
            Self::Arm64 => 0xaa64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_architecture_is_known_by_the_distributions_name() {
        for arch in [Arch::Amd64, Arch::Arm64] {
            assert_eq!(Arch::parse(arch.name()), Some(arch));
            assert!(arch.dynamic_loader().starts_with(&format!("/usr/lib/{}/", arch.library_folder())));
            assert_eq!(serde_json::to_value(arch).unwrap(), arch.name());
        }
        assert_eq!(Arch::parse("aarch64"), None);
    }
}
