//! A folder on FAT, and what of it is on the disk after the power was lost.
//!
//! * Content is on the disk when it was synced; before, the file may be torn.
//! * Names are on the disk when the folder was synced. Before, of every change any part may be there, in any order. A rename writes a new
//!   record (first without clusters: an empty file), then takes the old one away: Linux `fs/fat/namei_vfat.c`. So none of both may be done, or
//!   both, or there are two names on one chain of clusters, or no name at all, or the new name is empty.
//! * A rename on top of a file changes the clusters in that file's own record, which is written at once: it never leaves it without content.
//! * Clusters of a removed file are free for others: should its name come back, or another name have the same chain, its content may be
//!   something else.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::hash::Hash;

/// What a file has in it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Content<C> {
    /// All of what was written.
    Whole(C),
    /// The disk took it and gives something else back.
    Rotten,
    /// Not all of it had reached the disk.
    Torn,
    /// Its clusters were given to others.
    Reused,
    /// Nothing.
    Empty,
}

type Names<N> = BTreeMap<N, u8>;

/// The folder, as programs see it and as the disk has it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Fat<N, C> {
    now: Names<N>,
    kept: Names<N>,
    chains: BTreeMap<u8, Chain<C>>,
    pending: Vec<Change<N>>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Chain<C> {
    content: Content<C>,
    is_synced: bool,
    is_freed: bool,
}

/// A change of names that is not on the disk yet.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Change<N> {
    Create(N, u8),
    Remove(N),
    Rename(N, N, u8),
    Replace(N, N, u8),
}

impl<N: Clone + Ord + Hash, C: Clone + Ord + Hash> Fat<N, C> {
    /// A folder whose content is on the disk.
    pub(crate) fn new(files: impl IntoIterator<Item = (N, C)>) -> Self {
        let mut fat =
            Self { now: Names::new(), kept: Names::new(), chains: BTreeMap::new(), pending: Vec::new() };
        for (name, content) in files {
            fat.write(&name, Content::Whole(content));
            fat.sync(&name);
        }
        fat.sync_folder();
        fat
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &N> {
        self.now.keys()
    }

    pub(crate) fn get(&self, name: &N) -> Option<&Content<C>> {
        Some(&self.chains.get(self.now.get(name)?)?.content)
    }

    /// Whether two names have one chain of clusters.
    pub(crate) fn are_twins(&self, one: &N, other: &N) -> bool {
        self.now.get(one).is_some_and(|chain| self.now.get(other) == Some(chain))
    }

    pub(crate) fn write(&mut self, name: &N, content: Content<C>) {
        let id = match self.now.get(name) {
            Some(&id) => id,
            None => {
                let id = (0..).find(|id| !self.chains.contains_key(id)).unwrap();
                self.now.insert(name.clone(), id);
                self.pending.push(Change::Create(name.clone(), id));
                id
            }
        };
        self.chains.insert(id, Chain { content, is_synced: false, is_freed: false });
    }

    pub(crate) fn sync(&mut self, name: &N) {
        if let Some(chain) = self.now.get(name).and_then(|id| self.chains.get_mut(id)) {
            chain.is_synced = true;
        }
    }

    pub(crate) fn sync_folder(&mut self) {
        self.kept = self.now.clone();
        self.pending.clear();
        self.forget_unnamed();
    }

    pub(crate) fn rename(&mut self, from: &N, to: &N) {
        let Some(id) = self.now.remove(from) else { return };
        let is_there = self.now.insert(to.clone(), id).is_some();
        let (from, to) = (from.clone(), to.clone());
        self.pending.push(if is_there {
            Change::Replace(from, to, id)
        } else {
            Change::Rename(from, to, id)
        });
    }

    pub(crate) fn remove(&mut self, name: &N) {
        let Some(id) = self.now.remove(name) else { return };
        self.pending.push(Change::Remove(name.clone()));
        let has_twin = self.now.values().any(|other| *other == id);
        if let Some(chain) = self.chains.get_mut(&id) {
            chain.is_freed = true;
            if has_twin && chain.content != Content::Empty {
                chain.content = Content::Reused;
            }
        }
    }

    /// Everything reaches the disk: an orderly way down.
    pub(crate) fn settle(&mut self) {
        self.chains.values_mut().for_each(|chain| chain.is_synced = true);
        self.sync_folder();
    }

    /// All that the disk may have when the power is lost now.
    pub(crate) fn cut(&self) -> Vec<Self> {
        if self.pending.is_empty() && self.chains.values().all(|chain| chain.is_synced && !chain.is_freed) {
            return vec![self.clone()];
        }
        let mut names = BTreeSet::from([self.kept.clone()]);
        for change in &self.pending {
            names = names.iter().flat_map(|before| outcomes(before, change)).collect();
        }
        let mut folders = Vec::new();
        for now in names {
            let mut after = Self { kept: now.clone(), now, chains: self.chains.clone(), pending: Vec::new() };
            let empty = Chain { content: Content::Empty, is_synced: true, is_freed: false };
            after.chains.insert(EMPTY, empty);
            after.forget_unnamed();
            folders.extend(after.contents());
        }
        folders.sort_by(|one, other| (&one.now, one.all()).cmp(&(&other.now, other.all())));
        folders.dedup();
        folders
    }

    fn all(&self) -> Vec<&Content<C>> {
        self.chains.values().map(|chain| &chain.content).collect()
    }

    /// Each content that is not sure to be on the disk: there, or not.
    fn contents(self) -> Vec<Self> {
        let mut folders = vec![self];
        let ids: Vec<u8> = folders[0].chains.keys().copied().collect();
        for id in ids {
            for place in 0..folders.len() {
                let folder = &mut folders[place];
                let chain = folder.chains.get_mut(&id).unwrap();
                let damage = match (chain.is_synced, chain.is_freed) {
                    // An empty file has no clusters to lose.
                    _ if chain.content == Content::Empty => None,
                    (_, true) => Some(Content::Reused),
                    (false, false) => Some(Content::Torn),
                    (true, false) => None,
                };
                (chain.is_synced, chain.is_freed) = (true, false);
                if let Some(damage) = damage {
                    let mut other = folder.clone();
                    other.chains.get_mut(&id).unwrap().content = damage;
                    folders.push(other);
                }
            }
        }
        folders
    }

    /// Chains are numbered in the order of their names, so that equal folders are equal.
    fn forget_unnamed(&mut self) {
        let mut numbers: BTreeMap<u8, u8> = BTreeMap::new();
        let mut chains = BTreeMap::new();
        for id in self.now.values_mut() {
            let fresh = u8::try_from(numbers.len()).unwrap();
            let number = *numbers.entry(*id).or_insert(fresh);
            chains.insert(number, self.chains[id].clone());
            *id = number;
        }
        self.chains = chains;
        self.kept = self.now.clone();
    }
}

/// The chain of a file without clusters.
const EMPTY: u8 = u8::MAX;

/// What may be on the disk of one change.
fn outcomes<N: Clone + Ord>(before: &Names<N>, change: &Change<N>) -> Vec<Names<N>> {
    let with = |name: &N, id: u8| {
        let mut names = before.clone();
        names.insert(name.clone(), id);
        names
    };
    let without = |mut names: Names<N>, name: &N| {
        names.remove(name);
        names
    };
    let nothing = before.clone();
    match change {
        Change::Create(name, id) => vec![nothing, with(name, *id), with(name, EMPTY)],
        Change::Remove(name) => vec![without(nothing.clone(), name), nothing],
        Change::Rename(from, to, id) => vec![
            without(with(to, *id), from),
            with(to, *id),
            without(with(to, EMPTY), from),
            with(to, EMPTY),
            without(nothing.clone(), from),
            nothing,
        ],
        Change::Replace(from, to, id) => {
            vec![without(with(to, *id), from), with(to, *id), without(nothing.clone(), from), nothing]
        }
    }
}

mod tests {
    use super::*;

    type Small = Fat<&'static str, u8>;

    fn seen(fat: &Small) -> Vec<(&'static str, Content<u8>)> {
        fat.names().map(|name| (*name, fat.get(name).unwrap().clone())).collect()
    }

    fn after_cut(fat: &Small) -> BTreeSet<Vec<(&'static str, Content<u8>)>> {
        fat.cut().iter().map(seen).collect()
    }

    #[test]
    fn what_was_synced_is_there() {
        let mut fat = Small::new([("a", 1)]);
        assert_eq!(after_cut(&fat).len(), 1);
        fat.write(&"b", Content::Whole(2));
        let a = ("a", Content::Whole(1));
        assert_eq!(
            after_cut(&fat),
            [
                vec![a.clone()],
                vec![a.clone(), ("b", Content::Whole(2))],
                vec![a.clone(), ("b", Content::Torn)],
                vec![a.clone(), ("b", Content::Empty)],
            ]
            .into()
        );
        fat.sync(&"b");
        fat.sync_folder();
        assert_eq!(after_cut(&fat), [vec![a, ("b", Content::Whole(2))]].into());
    }

    #[test]
    fn a_rename_may_leave_any_part_of_itself() {
        let mut fat = Small::new([("a", 1)]);
        fat.rename(&"a", &"b");
        let (a, b, empty) = (("a", Content::Whole(1)), ("b", Content::Whole(1)), ("b", Content::Empty));
        assert_eq!(
            after_cut(&fat),
            [
                vec![],
                vec![a.clone()],
                vec![b.clone()],
                vec![a.clone(), b],
                vec![empty.clone()],
                vec![a, empty]
            ]
            .into()
        );
        let both = fat.cut().into_iter().find(|fat| fat.are_twins(&"a", &"b")).unwrap();
        let mut one = both.clone();
        one.remove(&"a");
        assert_eq!(seen(&one), [("b", Content::Reused)]);
    }

    #[test]
    fn a_rename_on_top_of_a_file_leaves_the_old_or_the_new_one() {
        let mut fat = Small::new([("new", 2), ("old", 1)]);
        fat.rename(&"new", &"old");
        let contents: BTreeSet<_> = fat.cut().iter().map(|fat| fat.get(&"old").cloned()).collect();
        assert_eq!(contents, [Some(Content::Whole(1)), Some(Content::Whole(2))].into());
    }

    #[test]
    fn what_was_removed_may_come_back_with_another_content() {
        let mut fat = Small::new([("a", 1)]);
        fat.remove(&"a");
        let back = [vec![], vec![("a", Content::Whole(1))], vec![("a", Content::Reused)]];
        assert_eq!(after_cut(&fat), back.into());
        fat.sync_folder();
        assert_eq!(after_cut(&fat), [vec![]].into());
    }
}
