use super::*;
use crate::modinfo::ModInfo;
use proptest::prelude::*;

fn module(name: &str, depends: &[&str], before: &[&str], aliases: &[&str]) -> (String, Module) {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    let info = ModInfo {
        name: name.to_owned(),
        depends: texts(depends),
        before: texts(before),
        aliases: texts(aliases),
        ..ModInfo::default()
    };
    (name.to_owned(), Module { path: format!("kernel/fs/{}.ko.xz", name.replace('_', "-")), info })
}

fn index() -> Index {
    Index {
        release: "6.12".to_owned(),
        modules: [
            module("erofs", &["libcrc32c", "netfs"], &[], &["fs-erofs"]),
            module("libcrc32c", &[], &["crc32c"], &[]),
            module("crc32c_generic", &[], &[], &["crc32c", "crypto-crc32c"]),
            module("crc32c_intel", &[], &[], &["crc32c", "cpu:type:x86*"]),
            module("netfs", &["vfs"], &[], &[]),
            module("usb_storage", &["usbcore"], &[], &["usb:v*"]),
            module("usbcore", &["usb_base"], &[], &[]),
            module("usb_base", &[], &[], &[]),
            module("broken", &["gone"], &[], &[]),
            module("a", &[], &["b"], &[]),
            module("b", &[], &["a"], &[]),
        ]
        .into(),
        built_in: ["vfs".to_owned(), "fuse".to_owned()].into(),
    }
}

fn listed(names: &[&str]) -> Vec<Entry> {
    let origin = |line| Origin { file: "base.toml".to_owned(), line };
    names
        .iter()
        .enumerate()
        .map(|(place, name)| Entry { value: (*name).to_owned(), origin: origin(place + 1) })
        .collect()
}

fn names(selection: &Selection) -> Vec<&str> {
    selection.modules.iter().map(|module| module.info.name.as_str()).collect()
}

#[test]
fn what_is_needed_comes_first_soft_or_not() {
    let selection = index().select(&listed(&["erofs"]), Providers::All).unwrap();
    // libcrc32c fails with ENOENT when no provider of "crc32c" is there: facts of kernel 6.12.
    assert_eq!(names(&selection), ["crc32c_generic", "crc32c_intel", "libcrc32c", "netfs", "erofs"]);
}

#[test]
fn stage_1_gets_nothing_that_needs_a_certain_processor() {
    let selection = index().select(&listed(&["erofs"]), Providers::Unconditional).unwrap();
    assert_eq!(names(&selection), ["crc32c_generic", "libcrc32c", "netfs", "erofs"]);
}

#[test]
fn names_may_have_dashes_and_be_built_in() {
    let selection = index().select(&listed(&["usb-storage", "fuse", "usbcore"]), Providers::All).unwrap();
    assert_eq!(names(&selection), ["usb_base", "usbcore", "usb_storage"]);
    assert_eq!(selection.built_in, ["fuse"]);
}

#[test]
fn unknown_modules_are_named_with_their_place() {
    let error = index().select(&listed(&["erofs", "nvmee"]), Providers::All).unwrap_err();
    assert_eq!(error.to_string(), "base.toml:2: kernel 6.12 has no module \"nvmee\"");
    let error = index().select(&listed(&["broken"]), Providers::All).unwrap_err();
    assert_eq!(error.to_string(), "base.toml:1: module gone that broken needs is not in kernel 6.12");
}

#[test]
fn circles_of_soft_dependencies_end() {
    let selection = index().select(&listed(&["a"]), Providers::All).unwrap();
    assert_eq!(names(&selection), ["b", "a"]);
}

#[test]
fn tables_have_depmods_formats() {
    let tables = tables::write(&index().select(&listed(&["usb_storage", "erofs"]), Providers::All).unwrap());
    assert!(tables.dep.contains("usb-storage.ko: usbcore.ko usb-base.ko\n"), "{}", tables.dep);
    assert!(tables.dep.contains("usb-base.ko:\n"), "{}", tables.dep);
    assert!(tables.alias.contains("alias usb:v* usb_storage\n"), "{}", tables.alias);
    assert_eq!(tables.softdep, "softdep libcrc32c pre: crc32c\n");
}

/// A kernel with random dependencies, each on a module of a lower number: no circles, as in real kernels.
fn any_index() -> impl Strategy<Value = Index> {
    proptest::collection::vec(proptest::collection::vec(any::<prop::sample::Index>(), 0..4), 1..24).prop_map(
        |needs| {
            let modules = needs.iter().enumerate().map(|(number, needs)| {
                let depends: Vec<String> = needs
                    .iter()
                    .filter(|_| number > 0)
                    .map(|index| format!("m{}", index.index(number.max(1))))
                    .collect();
                let depends: Vec<&str> = depends.iter().map(String::as_str).collect();
                module(&format!("m{number}"), &depends, &[], &[])
            });
            Index { release: "r".to_owned(), modules: modules.collect(), built_in: BTreeSet::new() }
        },
    )
}

proptest! {
    #[test]
    fn every_selection_loads_in_order_and_is_minimal(index in any_index(), picks in proptest::collection::vec(any::<prop::sample::Index>(), 1..4)) {
        let all: Vec<&str> = index.modules.keys().map(String::as_str).collect();
        let wanted: Vec<&str> = picks.iter().map(|pick| all[pick.index(all.len())]).collect();
        let selection = index.select(&listed(&wanted), Providers::All).unwrap();
        let mut loaded = BTreeSet::new();
        let mut asked_for: BTreeSet<&str> = wanted.iter().copied().collect();
        for module in &selection.modules {
            prop_assert!(module.info.depends.iter().all(|needed| loaded.contains(needed.as_str())));
            prop_assert!(loaded.insert(module.info.name.as_str()), "twice: {}", module.info.name);
        }
        for module in selection.modules.iter().rev() {
            prop_assert!(asked_for.contains(module.info.name.as_str()), "not needed: {}", module.info.name);
            asked_for.extend(module.info.depends.iter().map(String::as_str));
        }
        prop_assert!(wanted.iter().all(|name| loaded.contains(name)));
    }

    #[test]
    fn the_dependency_table_loads_from_right_to_left(index in any_index()) {
        let all: Vec<&str> = index.modules.keys().map(String::as_str).collect();
        let dep = tables::write(&index.select(&listed(&all), Providers::All).unwrap()).dep;
        for line in dep.lines() {
            let (file, needed) = line.split_once(':').unwrap();
            let mut loaded = BTreeSet::new();
            for file in needed.split_whitespace().rev().chain([file]) {
                let module = &index.modules[file.strip_suffix(".ko").unwrap()];
                prop_assert!(module.info.depends.iter().all(|needed| loaded.contains(needed)), "{}", line);
                loaded.insert(module.info.name.clone());
            }
        }
    }
}
