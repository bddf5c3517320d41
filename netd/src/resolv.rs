//! The name servers of all leases as resolv.conf(5), until netd resolves names itself (issue 3).

use crate::dhcp::lease::Lease;
use crate::ipv4;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// The C library reads no more (`MAXNS` of resolv.h).
const MOST_SERVERS: usize = 3;

/// The file's text: servers of the first link first, each once.
#[must_use]
pub fn text(views: &ipv4::Views) -> String {
    let leases: Vec<&Lease> = views.values().filter_map(|view| view.lease.as_ref()).collect();
    let mut seen = BTreeSet::new();
    let servers = leases.iter().flat_map(|lease| &lease.terms.dns).filter(|server| seen.insert(**server));
    let mut text = "# Written by netd from DHCP leases.\n".to_owned();
    for server in servers.take(MOST_SERVERS) {
        text.push_str(&format!("nameserver {server}\n"));
    }
    let domains: Vec<&str> = leases.iter().filter_map(|lease| lease.terms.domain.as_deref()).collect();
    if !domains.is_empty() {
        text.push_str(&format!("search {}\n", domains.join(" ")));
    }
    text
}

/// Why the file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("write {path}")]
pub struct WriteError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Writes the text aside and renames it, so that a reader never sees half of it.
///
/// # Errors
///
/// What the file system said.
pub fn write(path: &Path, text: &str) -> Result<(), WriteError> {
    let aside = path.with_extension("new");
    std::fs::write(&aside, text)
        .and_then(|()| std::fs::rename(&aside, path))
        .map_err(|source| WriteError { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dhcp::lease::Terms;
    use crate::moment::Moment;
    use std::net::Ipv4Addr;

    fn view(dns: &[[u8; 4]], domain: Option<&str>) -> ipv4::View {
        let terms = Terms {
            address: Ipv4Addr::new(10, 0, 0, 2),
            prefix: 24,
            routes: Vec::new(),
            dns: dns.iter().copied().map(Ipv4Addr::from).collect(),
            domain: domain.map(str::to_owned),
            ntp: Vec::new(),
            mtu: None,
            times: None,
        };
        let lease = Lease { terms, server: Ipv4Addr::new(10, 0, 0, 1), since: Moment::default() };
        ipv4::View { lease: Some(lease), ..ipv4::View::default() }
    }

    #[test]
    fn servers_are_listed_once_in_the_order_of_the_links_and_no_more_than_are_read() {
        let views = ipv4::Views::from([
            (3, view(&[[9, 9, 9, 9], [1, 1, 1, 1], [8, 8, 8, 8]], Some("lan"))),
            (2, view(&[[10, 0, 0, 1], [9, 9, 9, 9]], Some("home"))),
        ]);
        let lines: Vec<String> = text(&views).lines().skip(1).map(str::to_owned).collect();
        assert_eq!(
            lines,
            ["nameserver 10.0.0.1", "nameserver 9.9.9.9", "nameserver 1.1.1.1", "search home lan"]
        );
    }

    #[test]
    fn a_file_is_replaced_whole_and_an_impossible_place_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("resolv.conf");
        write(&path, "a").unwrap();
        write(&path, "b").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "b");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let error = write(&folder.path().join("absent/resolv.conf"), "c").unwrap_err();
        assert!(format!("{error}").contains("absent/resolv.conf"), "{error}");
    }
}
