//! The figures of the network as JSON and as the README's table.

use crate::bench::Figures;
use crate::bench::net::figures::Apps;
use crate::bench::net::figures::Firewall;
use crate::bench::net::figures::Names;
use crate::bench::net::figures::Turns;
use serde::Serialize;

/// Everything measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The firewall.
    pub(crate) firewall: Firewall,
    /// Networks of apps, and memory.
    pub(crate) apps: Apps,
    /// Name service.
    pub(crate) names: Names,
}

impl Figures for Report {
    const MARK: &str = "<!-- bench: written by `cargo xtask bench --only net` -->\n";

    /// Medians, with the lowest and the highest round behind some.
    fn table(&self) -> String {
        let Self { firewall, apps, names } = self;
        let (batch, nft) = (&firewall.batch, &firewall.nft);
        let (ours, peer) = (&names.hearth, &names.unbound);
        let (rate, peer_rate) = (ours.queries_per_s.median, peer.queries_per_s.median);
        let (cost, peer_cost) = (ours.cpu_ms_per_1000.median, peer.cpu_ms_per_1000.median);
        format!(
            "| network | measured | goal | gate |\n|---|---|---|---|\n\
             | {} rules of a policy ({} apps; in the kernel {} lines and {} elements) replaced, processor time of netd | {} ms; first load {:.1} ms; making them from the policy {:.1} ms | 5 ms | 15 ms |\n\
             | the same against `nft -f` | {:.1} : {:.1} ms = {:.2}; first load {:.1} : {:.1} ms | | |\n\
             {}{}\
             | cached answers over UDP, one thread, 32 questions under way, against unbound (the asking is the slower side) | {rate:.0} : {peer_rate:.0} a second = {:.2} | | |\n\
             | processor time for 1,000 of them, against unbound | {cost:.1} : {peer_cost:.1} ms = {:.2} | | |\n\
             | one question at a time, p50 and p99, against unbound | {:.0} and {:.0} : {:.0} and {:.0} µs | | |\n\
             | memory (PSS) of netd at rest; with {} apps | {:.1} MiB; {:.1} MiB | | |\n",
            firewall.rules,
            firewall.apps,
            firewall.kernel_rules,
            firewall.set_elements,
            batch.cpu_ms.shown(1),
            batch.first_ms,
            firewall.compile_ms.median,
            batch.cpu_ms.median,
            nft.cpu_ms.median,
            batch.cpu_ms.median / nft.cpu_ms.median,
            batch.first_ms,
            nft.first_ms,
            turns(&apps.alone),
            turns(&apps.crowded),
            rate / peer_rate,
            cost / peer_cost,
            ours.p50_us.median,
            ours.p99_us.median,
            peer.p50_us.median,
            peer.p99_us.median,
            apps.crowded.others,
            mebibytes(apps.rest_pss_kib),
            mebibytes(apps.crowded_pss_kib),
        )
    }
}

fn turns(turns: &Turns) -> String {
    let (attach, detach) = (&turns.attach_cpu_ms, &turns.detach_cpu_ms);
    format!(
        "| app's network made and taken away beside {} others, processor time of netd (wall) | {:.1} + {:.1} = {:.1} ms ({:.1} + {:.1} ms) | | |\n",
        turns.others,
        attach.median,
        detach.median,
        attach.median + detach.median,
        turns.attach_wall_ms.median,
        turns.detach_wall_ms.median,
    )
}

#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52 bytes")]
fn mebibytes(kibibytes: u64) -> f64 {
    kibibytes as f64 / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::net::figures::Load;
    use crate::bench::net::names;
    use serde_json::json;

    fn turns(others: u64) -> serde_json::Value {
        json!({"others": others, "attach_cpu_ms": [2.0, 1.0, 3.0], "attach_wall_ms": [5.0],
               "detach_cpu_ms": [1.5], "detach_wall_ms": [4.0]})
    }

    fn report() -> Report {
        let way = |ms: f64| json!({"first_ms": ms, "cpu_ms": [ms, ms + 1.0, ms - 1.0], "wall_ms": [9.0]});
        let firewall = json!({"rules": 1000, "apps": 60, "kernel_rules": 70, "set_elements": 700, "text_bytes": 90000,
                              "compile_ms": [1.0], "batch": way(4.0), "nft": way(16.0)});
        let apps =
            json!({"rest_pss_kib": 5120, "alone": turns(0), "crowded": turns(100), "crowded_pss_kib": 6144});
        let load = r#"{"queries_per_s":50000,"p50_us":20,"p99_us":90,"lost":0,"server_cpu_s":1.00,"server_pss_kib":4000,"seconds":2.00}"#;
        let load: Load = serde_json::from_str(load).unwrap();
        let server =
            || names::server(std::slice::from_ref(&load), std::slice::from_ref(&load), 100_000.0).unwrap();
        Report {
            firewall: serde_json::from_value(firewall).unwrap(),
            apps: serde_json::from_value(apps).unwrap(),
            names: Names { names: 100, hearth: server(), unbound: server() },
        }
    }

    #[test]
    fn the_json_has_medians_and_all_rounds() {
        let value = serde_json::to_value(report()).unwrap();
        assert_eq!(value["firewall"]["batch"]["cpu_ms"]["median"], 4.0);
        assert_eq!(value["firewall"]["nft"]["cpu_ms"]["highest"], 17.0);
        assert_eq!(value["apps"]["crowded"]["attach_cpu_ms"]["rounds"], json!([2.0, 1.0, 3.0]));
        assert_eq!(value["names"]["hearth"]["cpu_ms_per_1000"]["median"], 10.0);
    }

    #[test]
    fn the_table_compares_medians() {
        let table = report().table();
        for part in [
            "| 4.0 (3.0–5.0) ms; first load 4.0 ms",
            "4.0 : 16.0 ms = 0.25",
            "2.0 + 1.5 = 3.5 ms (5.0 + 4.0 ms)",
            "5.0 MiB; 6.0 MiB",
        ] {
            assert!(table.contains(part), "{part}: {table}");
        }
        assert!(table.lines().all(|line| line.matches('|').count() == 5), "{table}");
    }
}
