//! The few files in `/etc`, and what foreign programs are configured with.

use crate::manifest::Manifest;
use model::paths::BUS_GID;
use model::paths::HOSTD_UID;
use model::paths::IWD_UID;
use model::paths::NETD_UID;
use model::paths::RESERVE_GID;
use model::paths::WIFI_BUS_UID;

/// Path in the root and content.
pub(super) fn files(version: &str, manifest: &Manifest) -> [(&'static str, String); 6] {
    [
        ("etc/passwd", passwd()),
        ("etc/group", group()),
        ("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n".to_owned()),
        ("etc/os-release", os_release(version, &manifest.board.name)),
        ("usr/share/hearth/wifi/bus.conf", include_str!("wifi/bus.conf").to_owned()),
        ("usr/share/hearth/wifi/main.conf", include_str!("wifi/main.conf").to_owned()),
    ]
}

/// Nobody logs in: no password, and a shell that does not exist.
fn passwd() -> String {
    let daemon = |name: &str, id: u32| format!("{name}:x:{id}:{id}::/nonexistent:/nonexistent\n");
    format!(
        "root:x:0:0::/nonexistent:/nonexistent\n{}{}{}{}",
        daemon("netd", NETD_UID),
        daemon("hostd", HOSTD_UID),
        daemon("iwd", IWD_UID),
        daemon("wifi-bus", WIFI_BUS_UID)
    )
}

fn group() -> String {
    format!(
        "root:x:0:\nnetd:x:{NETD_UID}:\nhostd:x:{HOSTD_UID}:\niwd:x:{IWD_UID}:\nwifi-bus:x:{WIFI_BUS_UID}:\n\
         bus:x:{BUS_GID}:hostd\nreserve:x:{RESERVE_GID}:netd,iwd\n"
    )
}

/// Also the slot file's `.osrel`, from which the loader takes the title and sorts by `IMAGE_VERSION`: os-release(5).
pub(crate) fn os_release(version: &str, board: &str) -> String {
    format!(
        "NAME=\"Hearth\"\nID=hearth\nPRETTY_NAME=\"Hearth {version}\"\nVERSION_ID={version}\nIMAGE_ID=hearth\n\
         IMAGE_VERSION={version}\nVARIANT_ID={board}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_those_of_the_contract() {
        assert!(passwd().contains("netd:x:901:901:"));
        assert!(passwd().contains("hostd:x:902:902:"));
        assert!(group().contains("bus:x:910:hostd\n"));
        // The bus knows its two callers by these names.
        for (name, id) in [("iwd", 903), ("wifi-bus", 904)] {
            assert!(passwd().contains(&format!("{name}:x:{id}:{id}:")));
            assert!(include_str!("wifi/bus.conf").contains(&format!("<allow user=\"{name}\"/>")));
        }
        assert!(group().contains("reserve:x:911:netd,iwd\n"));
        assert!(passwd().lines().all(|line| line.split(':').count() == 7));
        assert!(group().lines().all(|line| line.split(':').count() == 4));
    }

    #[test]
    fn the_loader_finds_name_and_version() {
        let text = os_release("1.2.3", "x86_64");
        assert!(text.contains("ID=hearth\n") && text.contains("IMAGE_VERSION=1.2.3\n"), "{text}");
    }
}
