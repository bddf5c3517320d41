//! Which kernel modules ship: the manifest's list with everything they need, and the tables that init loads them by.
//!
//! [`Index`] is what the kernel package offers; [`Index::select`] is pure and gives a [`Selection`], in an order in which they can
//! be loaded one after the other; [`tables`] writes the selection in the text formats of depmod.

pub mod index;
pub mod tables;

#[cfg(test)]
mod tests;

use crate::manifest::Entry;
use crate::manifest::Origin;
use crate::modinfo::unify;
use index::Index;
use index::Module;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// Modules in load order: whatever a module needs stands before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The modules.
    pub modules: Vec<Module>,
    /// Listed modules that are part of the kernel itself.
    pub built_in: Vec<String>,
}

/// Which modules to take for a name that several serve, such as `crc32c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Providers {
    /// All: whoever loads them skips those that find no hardware.
    All,
    /// Those that load on every processor: stage 1 takes any failure for a reason not to boot.
    Unconditional,
}

/// The list cannot be resolved.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// A listed module does not exist in this kernel.
    #[error("{origin}: kernel {release} has no module {name:?}")]
    Unknown {
        /// Where it is listed.
        origin: Origin,
        /// Its name.
        name: String,
        /// The kernel.
        release: String,
    },
    /// A module needs one that the kernel package does not have.
    #[error("{origin}: module {needed} that {by} needs is not in kernel {release}")]
    Broken {
        /// Where the first of the chain is listed.
        origin: Origin,
        /// The missing module.
        needed: String,
        /// Who needs it.
        by: String,
        /// The kernel.
        release: String,
    },
}

impl Index {
    /// The listed modules with everything they need.
    ///
    /// # Errors
    /// When a listed or needed module does not exist.
    pub fn select(&self, listed: &[Entry], providers: Providers) -> Result<Selection, SelectError> {
        let mut walk = Walk {
            index: self,
            aliases: self.exact_aliases(providers),
            taken: BTreeSet::new(),
            order: Vec::new(),
        };
        let mut built_in = BTreeSet::new();
        for entry in listed {
            let name = unify(&entry.value);
            if self.built_in.contains(&name) {
                built_in.insert(name);
            } else if self.modules.contains_key(&name) {
                walk.take(&name, &entry.origin)?;
            } else {
                return Err(SelectError::Unknown {
                    origin: entry.origin.clone(),
                    name: entry.value.clone(),
                    release: self.release.clone(),
                });
            }
        }
        Ok(Selection { modules: walk.order, built_in: built_in.into_iter().collect() })
    }

    /// Aliases without wildcards: only these can be asked for by another module (`request_module`, softdep).
    fn exact_aliases(&self, providers: Providers) -> BTreeMap<String, Vec<&str>> {
        let mut aliases: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        // A module for some processors names them in `cpu:` aliases (scripts/mod/file2alias.c), and fails with ENODEV on others.
        let conditional = |module: &Module| module.info.aliases.iter().any(|alias| alias.starts_with("cpu:"));
        for (name, module) in &self.modules {
            if providers == Providers::Unconditional && conditional(module) {
                continue;
            }
            for alias in module.info.aliases.iter().filter(|alias| !alias.contains(['*', '?', '['])) {
                aliases.entry(unify(alias)).or_default().push(name);
            }
        }
        aliases
    }
}

struct Walk<'a> {
    index: &'a Index,
    aliases: BTreeMap<String, Vec<&'a str>>,
    taken: BTreeSet<String>,
    order: Vec<Module>,
}

impl Walk<'_> {
    /// Depth first; `taken` is set on the way down, so that circles of soft dependencies end.
    fn take(&mut self, name: &str, origin: &Origin) -> Result<(), SelectError> {
        if self.index.built_in.contains(name) || self.taken.contains(name) {
            return Ok(());
        }
        let Some(module) = self.index.modules.get(name) else {
            return Ok(());
        };
        self.taken.insert(name.to_owned());
        for soft in &module.info.before {
            self.take_soft(soft, origin)?;
        }
        for needed in &module.info.depends {
            if !self.index.built_in.contains(needed) && !self.index.modules.contains_key(needed) {
                return Err(SelectError::Broken {
                    origin: origin.clone(),
                    needed: needed.clone(),
                    by: name.to_owned(),
                    release: self.index.release.clone(),
                });
            }
            self.take(needed, origin)?;
        }
        self.order.push(module.clone());
        for soft in &module.info.after {
            self.take_soft(soft, origin)?;
        }
        Ok(())
    }

    /// A soft dependency may be a name or an alias that several modules serve, such as `crc32c`: a hash that libcrc32c asks the
    /// crypto layer for by name. All of them ship, so that there is a generic one and the fast one of the processor.
    fn take_soft(&mut self, wanted: &str, origin: &Origin) -> Result<(), SelectError> {
        let name = unify(wanted);
        if self.index.modules.contains_key(&name) {
            return self.take(&name, origin);
        }
        for provider in self.aliases.get(&name).cloned().unwrap_or_default() {
            self.take(provider, origin)?;
        }
        Ok(())
    }
}
