//! The people of the household in words.

use super::table::table;
use crate::answers::Users;

/// Who may log in.
#[must_use]
pub fn users(users: &Users) -> String {
    let rows = users.users.iter().map(|user| {
        let role = if user.role == "owner" { "owns the box" } else { user.role.as_str() };
        vec![user.name.clone(), role.to_owned()]
    });
    table(&rows.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::User;

    #[test]
    fn everybody_is_told_with_what_they_are() {
        let user = |name: &str, role: &str| User { name: name.to_owned(), role: role.to_owned() };
        let known = Users { users: vec![user("anna", "owner"), user("berta", "member")] };
        assert_eq!(users(&known), "  anna   owns the box\n  berta  member\n");
    }
}
