//! What the largest packet of links was before netd changed it, so that it can be put back. Kept over a restart of netd in `/run`:
//! a reboot makes the hardware forget, and the file with it.

use crate::documents;
use crate::documents::Lasting;
use crate::observe::Observed;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::path::PathBuf;

/// The values, and the file that holds them.
#[derive(Debug)]
pub struct MtuBefore {
    path: PathBuf,
    links: BTreeMap<u32, u32>,
}

impl MtuBefore {
    /// Reads what an earlier run left; anything else counts as nothing.
    #[must_use]
    pub fn load(path: &Path) -> Self {
        let links = documents::read(path).unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn Error, "MTUs from before are not known");
            None
        });
        Self { path: path.to_owned(), links: links.unwrap_or_default() }
    }

    /// By kernel index of the link.
    #[must_use]
    pub const fn all(&self) -> &BTreeMap<u32, u32> {
        &self.links
    }

    /// Remembers the present value of every link that is about to be changed, and forgets those that are back to it.
    pub fn update(&mut self, observed: &Observed, wanted: &[(u32, u32)]) {
        let before = self.links.clone();
        for (index, mtu) in wanted {
            if let Some(link) = observed.link(*index).filter(|link| link.mtu != *mtu) {
                self.links.entry(*index).or_insert(link.mtu);
            }
        }
        self.links.retain(|index, original| {
            let is_back = observed.link(*index).is_some_and(|link| link.mtu == *original);
            let is_wanted_so = wanted.iter().any(|(wanted, mtu)| wanted == index && mtu == original);
            observed.link(*index).is_some() && !(is_back && is_wanted_so)
        });
        if self.links != before {
            self.write();
        }
    }

    fn write(&self) {
        if let Err(error) = documents::write(&self.path, &self.links, Lasting::UntilReboot) {
            tracing::warn!(error = &error as &dyn Error, "a restart will not know the MTUs from before");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Kind;
    use crate::testing::link;

    fn observed(mtu: u32) -> Observed {
        let mut link = link(2, "eth0", Kind::Other);
        link.mtu = mtu;
        Observed { links: vec![link], ..Observed::default() }
    }

    #[test]
    fn the_first_value_is_kept_over_a_restart_and_forgotten_once_it_is_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mtu.json");
        let mut before = MtuBefore::load(&path);
        before.update(&observed(1500), &[]);
        assert!(before.all().is_empty() && !path.exists());
        before.update(&observed(1500), &[(2, 1400)]);
        before.update(&observed(1400), &[(2, 1300)]);
        let mut before = MtuBefore::load(&path);
        assert_eq!(before.all(), &BTreeMap::from([(2, 1500)]));
        before.update(&observed(1300), &[(2, 1500)]);
        assert_eq!(before.all().len(), 1, "not back yet");
        before.update(&observed(1500), &[(2, 1500)]);
        assert!(before.all().is_empty());
        assert!(MtuBefore::load(&path).all().is_empty());
        std::fs::write(&path, "nonsense").unwrap();
        assert!(MtuBefore::load(&path).all().is_empty());
    }
}
