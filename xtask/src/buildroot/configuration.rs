//! Files of Kconfig: what is asked for, and what is lost of it. All pure.

use anyhow::Context;
use anyhow::Result;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// Where the external tree is, as its own files write it.
const EXTERNAL: &str = "$(BR2_EXTERNAL_HEARTH_PATH)/";

/// What depends on this machine and this call, and therefore stands in no defconfig.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    /// Where downloaded sources are kept: not in the checkout.
    pub(super) downloads: PathBuf,
    /// Folder with all sources.
    pub(super) mirror: Option<PathBuf>,
    /// Folder of substitutes.
    pub(super) substitutes: Option<PathBuf>,
    /// The built console.
    pub(super) console: PathBuf,
    /// Key that signs kernel modules.
    pub(super) module_key: PathBuf,
    /// Vendored crates.
    pub(super) crates: Option<PathBuf>,
    /// Programs built by this machine's cargo.
    pub(super) programs: Option<PathBuf>,
}

impl Settings {
    /// The defconfig with these settings, and with the substitutes' lines in place of its own.
    pub(super) fn defconfig(&self, board: &str) -> Result<String> {
        let mut lines = String::new();
        if let Some(folder) = &self.substitutes {
            let arch = if sets(board, "BR2_x86_64") { "x86_64" } else { "aarch64" };
            let path = folder.join(format!("{arch}.fragment"));
            lines = fs::read_to_string(&path)
                .with_context(|| format!("reading {} (made by buildroot-ext/substitutes)", path.display()))?;
        }
        let mut add = |name: &str, path: &Option<&Path>| {
            if let Some(path) = path {
                lines.push_str(&format!("{name}=\"{}\"\n", path.display()));
            }
        };
        add("BR2_DL_DIR", &Some(&self.downloads));
        add("BR2_PACKAGE_HEARTH_CONSOLE", &Some(&self.console));
        add("BR2_PACKAGE_HEARTH_MODULE_KEY", &Some(&self.module_key));
        add("BR2_PACKAGE_HEARTH_CRATES", &self.crates.as_deref());
        add("BR2_PACKAGE_HEARTH_PROGRAMS", &self.programs.as_deref());
        if let Some(mirror) = &self.mirror {
            lines.push_str(&format!(
                "BR2_PRIMARY_SITE=\"file://{}\"\nBR2_PRIMARY_SITE_ONLY=y\n",
                mirror.display()
            ));
        }
        Ok(merged(board, &lines))
    }
}

/// A setting: name, and value (none for `# … is not set`).
pub(super) fn setting(line: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = line.strip_prefix("# ") {
        return rest.strip_suffix(" is not set").map(|name| (name, None));
    }
    if line.starts_with('#') {
        return None;
    }
    line.split_once('=').map(|(name, value)| (name, Some(value)))
}

/// All settings of a file, in order.
pub(super) fn settings(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    text.lines().filter_map(setting)
}

/// The release that a checkout's Makefile names.
pub(super) fn release(makefile: &str) -> Option<&str> {
    makefile.lines().find_map(|line| line.strip_prefix("export BR2_VERSION := "))
}

/// Fragments of the kernel's configuration that a defconfig names, relative to the external tree.
pub(super) fn fragments(defconfig: &str) -> Vec<String> {
    let names = ["BR2_LINUX_KERNEL_CUSTOM_CONFIG_FILE", "BR2_LINUX_KERNEL_CONFIG_FRAGMENT_FILES"];
    settings(defconfig)
        .filter(|(name, _)| names.contains(name))
        .filter_map(|(_, value)| value)
        .flat_map(|value| value.trim_matches('"').split_whitespace())
        .map(|path| path.strip_prefix(EXTERNAL).unwrap_or(path).to_owned())
        .collect()
}

/// What was asked for and is otherwise in the configuration that came out.
pub(super) fn lost(asked: &str, found: &str) -> Vec<String> {
    settings(asked)
        .filter_map(|(name, value)| {
            let there = settings(found).find(|(there, _)| *there == name).and_then(|(_, value)| value);
            // What is asked to be off may be unknown.
            (there != value).then(|| format!("{name}: {} asked, {} found", shown(value), shown(there)))
        })
        .collect()
}

fn shown(value: Option<&str>) -> &str {
    value.unwrap_or("off")
}

fn sets(text: &str, name: &str) -> bool {
    settings(text).any(|(there, value)| there == name && value == Some("y"))
}

/// `base` without what `over` sets, and `over`. Of a choice that `over` makes, the other options go too: Kconfig takes the last,
/// but they would be lost then.
fn merged(base: &str, over: &str) -> String {
    const CHOICES: [(&str, &[&str]); 2] = [
        (
            "BR2_TOOLCHAIN_EXTERNAL",
            &["BR2_TOOLCHAIN_BUILDROOT_GLIBC", "BR2_PACKAGE_HOST_LINUX_HEADERS_CUSTOM_6_12"],
        ),
        (
            "BR2_LINUX_KERNEL_CUSTOM_TARBALL",
            &["BR2_LINUX_KERNEL_CUSTOM_VERSION", "BR2_LINUX_KERNEL_CUSTOM_VERSION_VALUE"],
        ),
    ];
    let goes = |name: &str| {
        settings(over).any(|(there, _)| there == name)
            || CHOICES.iter().any(|(choice, others)| sets(over, choice) && others.contains(&name))
    };
    let mut text = String::new();
    for line in base.lines().filter(|line| setting(line).is_none_or(|(name, _)| !goes(name))) {
        text.push_str(line);
        text.push('\n');
    }
    text.push_str(over);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_told_from_comments() {
        assert_eq!(setting("A=y"), Some(("A", Some("y"))));
        assert_eq!(setting("A=\"b=c\""), Some(("A", Some("\"b=c\""))));
        assert_eq!(setting("# A is not set"), Some(("A", None)));
        for line in ["# A comment, a=b", "#A=y", "", "A"] {
            assert_eq!(setting(line), None, "{line}");
        }
    }

    #[test]
    fn what_is_lost_is_named() {
        let asked = "A=y\nB=m\n# C is not set\n# D is not set\nE=\"x\"\n";
        assert_eq!(lost(asked, "A=y\nB=m\n# C is not set\nE=\"x\"\n"), [""; 0]);
        let found = "A=m\n# B is not set\nC=y\nE=\"y\"\n";
        assert_eq!(
            lost(asked, found),
            [
                "A: y asked, m found",
                "B: m asked, off found",
                "C: off asked, y found",
                "E: \"x\" asked, \"y\" found",
            ]
        );
    }

    #[test]
    fn substitutes_replace_lines_and_choices() {
        let base = "# Text\nBR2_x86_64=y\nBR2_TOOLCHAIN_BUILDROOT_GLIBC=y\nBR2_GLOBAL_PATCH_DIR=\"a\"\n# X is not set\n";
        let over = "BR2_TOOLCHAIN_EXTERNAL=y\nBR2_GLOBAL_PATCH_DIR=\"a b\"\nX=y\n";
        assert_eq!(merged(base, over), format!("# Text\nBR2_x86_64=y\n{over}"));
        assert_eq!(merged(base, ""), base);
    }

    #[test]
    fn what_depends_on_the_call_is_added() {
        let settings = Settings {
            downloads: "/d".into(),
            mirror: Some("/m".into()),
            console: "/c".into(),
            module_key: "/k".into(),
            crates: Some("/r".into()),
            ..Settings::default()
        };
        let text = settings.defconfig("BR2_x86_64=y\n").unwrap();
        for line in [
            "BR2_DL_DIR=\"/d\"",
            "BR2_PACKAGE_HEARTH_CONSOLE=\"/c\"",
            "BR2_PACKAGE_HEARTH_MODULE_KEY=\"/k\"",
            "BR2_PACKAGE_HEARTH_CRATES=\"/r\"",
            "BR2_PRIMARY_SITE=\"file:///m\"",
            "BR2_PRIMARY_SITE_ONLY=y",
        ] {
            assert!(text.lines().any(|there| there == line), "{line} in {text}");
        }
        assert!(!text.contains("HEARTH_PROGRAMS"), "{text}");
    }

    #[test]
    fn a_checkout_tells_its_release() {
        assert_eq!(release("# x\nexport BR2_VERSION := 2026.05.1\n"), Some("2026.05.1"));
        assert_eq!(release("VERSION = 6\n"), None);
    }

    #[test]
    fn fragments_are_relative_to_the_external_tree() {
        let text = "BR2_LINUX_KERNEL_CUSTOM_CONFIG_FILE=\"$(BR2_EXTERNAL_HEARTH_PATH)/a\"\n\
                    BR2_LINUX_KERNEL_CONFIG_FRAGMENT_FILES=\"$(BR2_EXTERNAL_HEARTH_PATH)/b $(BR2_EXTERNAL_HEARTH_PATH)/c\"\n";
        assert_eq!(fragments(text), ["a", "b", "c"]);
    }
}
