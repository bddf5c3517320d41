//! The tables of depmod, as text and only for what ships: `modules.dep`, `modules.alias`, `modules.softdep`.
//!
//! Formats: modules.dep(5) and depmod's `output_deps`, `output_aliases`, `output_softdeps`. In `modules.dep` the modules behind the
//! colon are to be loaded from right to left, then the one before it.

use super::Selection;
use super::index::Module;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The three tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// `modules.dep`
    pub dep: String,
    /// `modules.alias`
    pub alias: String,
    /// `modules.softdep`
    pub softdep: String,
}

/// Writes the tables of a selection.
#[must_use]
pub fn write(selection: &Selection) -> Tables {
    let by_name: BTreeMap<&str, (usize, &Module)> =
        selection.modules.iter().enumerate().map(|(place, m)| (m.info.name.as_str(), (place, m))).collect();
    let mut tables = Tables::default();
    let mut aliases = BTreeSet::new();
    for (name, (_, module)) in &by_name {
        let mut needed = BTreeMap::new();
        gather(module, &by_name, &mut needed);
        tables.dep.push_str(&module.file_name());
        tables.dep.push(':');
        // The last in load order comes first: the list is worked off from its end.
        for needed in needed.values().rev() {
            tables.dep.push(' ');
            tables.dep.push_str(&needed.file_name());
        }
        tables.dep.push('\n');
        aliases.extend(module.info.aliases.iter().map(|alias| format!("alias {alias} {name}\n")));
        softdep(&mut tables.softdep, name, module);
    }
    tables.alias.extend(aliases);
    tables
}

/// Everything a module needs, by place in the load order.
fn gather<'a>(
    module: &Module,
    by_name: &BTreeMap<&str, (usize, &'a Module)>,
    needed: &mut BTreeMap<usize, &'a Module>,
) {
    for name in &module.info.depends {
        // What is not in the selection is built in.
        if let Some((place, module)) = by_name.get(name.as_str())
            && needed.insert(*place, module).is_none()
        {
            gather(module, by_name, needed);
        }
    }
}

fn softdep(text: &mut String, name: &str, module: &Module) {
    if module.info.before.is_empty() && module.info.after.is_empty() {
        return;
    }
    let mut line = format!("softdep {name}");
    for (key, list) in [("pre", &module.info.before), ("post", &module.info.after)] {
        if !list.is_empty() {
            let written = write!(line, " {key}: {}", list.join(" "));
            debug_assert!(written.is_ok(), "writing to a String cannot fail");
        }
    }
    text.push_str(&line);
    text.push('\n');
}
