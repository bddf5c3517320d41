//! Which app has which place. Pure; kept in RAM across restarts of netd, and gone with the apps at a reboot.

use crate::apps::addressing::APP_NUMBERS;
use crate::apps::addressing::LAST_WORKSPACE;
use crate::apps::addressing::Place;
use model::network::names::AppKey;
use model::network::names::WorkspaceKey;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeMap;

/// Apps with their places.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roster {
    attached: BTreeMap<AppKey, Member>,
}

/// An app with a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its workspace.
    pub workspace: WorkspaceKey,
    /// Its place.
    pub place: Place,
}

/// Why there is no place for an app.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// It has one.
    #[error("app {0} is attached already")]
    Attached(AppKey),
    /// Every network is in use.
    #[error("all 511 workspace networks are in use")]
    Networks,
    /// Every address of the workspace is in use.
    #[error("workspace {0} has no free address")]
    Addresses(WorkspaceKey),
}

impl Roster {
    /// Every app that has a place.
    pub fn members(&self) -> impl Iterator<Item = (&AppKey, &Member)> {
        self.attached.iter()
    }

    /// An app's place.
    #[must_use]
    pub fn member(&self, app: &AppKey) -> Option<&Member> {
        self.attached.get(app)
    }

    /// Gives an app the lowest free place; apps of one workspace share its network.
    ///
    /// # Errors
    /// When it has one, or none is free.
    pub fn join(&mut self, app: &AppKey, workspace: &WorkspaceKey) -> Result<Place, NoPlace> {
        if self.attached.contains_key(app) {
            return Err(NoPlace::Attached(app.clone()));
        }
        let number = self.number(workspace).ok_or(NoPlace::Networks)?;
        let is_free =
            |n: &u8| !self.attached.values().any(|m| (m.place.workspace, m.place.app) == (number, *n));
        let free = APP_NUMBERS.clone().find(is_free);
        let place =
            Place { workspace: number, app: free.ok_or_else(|| NoPlace::Addresses(workspace.clone()))? };
        self.attached.insert(app.clone(), Member { workspace: workspace.clone(), place });
        Ok(place)
    }

    /// Takes an app's place away.
    pub fn leave(&mut self, app: &AppKey) -> Option<Member> {
        self.attached.remove(app)
    }

    /// Forgets apps that `stays` does not hold for, and says which.
    pub fn retain(&mut self, stays: impl Fn(&AppKey, &Member) -> bool) -> Vec<(AppKey, Member)> {
        let gone: Vec<AppKey> = self
            .attached
            .iter()
            .filter(|(app, member)| !stays(app, member))
            .map(|(app, _)| app.clone())
            .collect();
        gone.into_iter().filter_map(|app| self.attached.remove_entry(&app)).collect()
    }

    fn number(&self, workspace: &WorkspaceKey) -> Option<u16> {
        let known = self.attached.values().find(|member| member.workspace == *workspace);
        let is_free = |n: &u16| !self.attached.values().any(|member| member.place.workspace == *n);
        known.map_or_else(|| (1..=LAST_WORKSPACE).find(is_free), |member| Some(member.place.workspace))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(roster: &mut Roster, app: &str, workspace: &str) -> Result<(u16, u8), NoPlace> {
        let place = roster.join(&app.parse().unwrap(), &workspace.parse().unwrap())?;
        Ok((place.workspace, place.app))
    }

    #[test]
    fn apps_of_a_workspace_share_a_network_and_free_places_are_used_again() {
        let mut roster = Roster::default();
        assert_eq!(join(&mut roster, "a", "ann"), Ok((1, 2)));
        assert_eq!(join(&mut roster, "b", "bob"), Ok((2, 2)));
        assert_eq!(join(&mut roster, "c", "ann"), Ok((1, 3)));
        assert_eq!(join(&mut roster, "c", "bob"), Err(NoPlace::Attached("c".parse().unwrap())));
        roster.leave(&"a".parse().unwrap()).unwrap();
        assert_eq!(join(&mut roster, "d", "ann"), Ok((1, 2)));
        roster.leave(&"b".parse().unwrap()).unwrap();
        assert_eq!(join(&mut roster, "e", "cid"), Ok((2, 2)), "bob's network is free");
    }

    #[test]
    fn a_full_workspace_says_so() {
        let mut roster = Roster::default();
        for n in APP_NUMBERS {
            join(&mut roster, &format!("app{n}"), "ann").unwrap();
        }
        assert!(matches!(join(&mut roster, "more", "ann"), Err(NoPlace::Addresses(_))));
        assert_eq!(join(&mut roster, "other", "bob"), Ok((2, 2)));
    }
}
