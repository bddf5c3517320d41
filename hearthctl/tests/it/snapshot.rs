//! Texts as they are checked in: a change of what people see shows in review.

use clap::CommandFactory;
use hearthctl::answers::Status;
use hearthctl::answers::System;
use hearthctl::cli::Cli;
use hearthctl::show;
use std::path::Path;

/// Set to write the texts anew instead of comparing them.
const BLESS: &str = "HEARTH_BLESS";

/// Compares with `snapshots/<name>.txt`.
pub(crate) fn compare(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/snapshots/{name}.txt"));
    if std::env::var_os(BLESS).is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, wanted, "{name} changed: run this test with {BLESS}=1 and review the difference");
}

#[test]
fn help_explains_with_examples() {
    let mut command = Cli::command();
    command.build();
    let mut help = |path: &[&str]| {
        let found =
            path.iter().fold(&mut command, |command, name| command.find_subcommand_mut(name).unwrap());
        found.render_long_help().to_string()
    };
    compare("help", &help(&[]));
    compare("help-login", &help(&["login"]));
    compare("help-network", &help(&["network"]));
    compare("help-network-policy", &help(&["network", "policy"]));
    compare("help-network-settings-set", &help(&["network", "settings", "set"]));
    compare("help-factory-reset", &help(&["factory-reset"]));
    compare("help-app", &help(&["app"]));
    compare("help-app-install", &help(&["app", "install"]));
    compare("help-app-permissions", &help(&["app", "permissions"]));
    compare("help-backup", &help(&["backup"]));
    compare("help-backup-kit", &help(&["backup", "kit"]));
    compare("help-flash", &help(&["flash"]));
    compare("help-storage", &help(&["storage"]));
    compare("help-registry-set", &help(&["registry", "set"]));
    compare("help-wifi", &help(&["wifi"]));
    compare("help-wifi-join", &help(&["wifi", "join"]));
    compare("help-users", &help(&["users"]));
    compare("help-storage-unlock", &help(&["storage", "unlock"]));
    compare("help-storage-recovery-key", &help(&["storage", "recovery-key"]));
}

#[test]
fn the_state_is_told_with_or_without_a_login() {
    let status = |state: &str, reasons: &[&str]| Status {
        state: state.to_owned(),
        version: "0.1.0".to_owned(),
        board: "x86_64".to_owned(),
        slot: "hearth_0.1.0".to_owned(),
        hostname: "hearth".to_owned(),
        reasons: reasons.iter().map(|&reason| reason.to_owned()).collect(),
    };
    let system: System = serde_json::from_str(
        r#"{"uptime_seconds": 273600, "memory": {"total_bytes": 512000000, "available_bytes": 421000000},
            "disk": {"total_bytes": 0, "available_bytes": 0}, "services": [
            {"name": "netd", "state": "backoff", "reason": "ended with status 1"},
            {"name": "hostd", "state": "ready", "reason": null}]}"#,
    )
    .unwrap();
    let degraded = status("degraded", &["netd: ended with status 1", "the data partition is missing"]);
    compare("status", &show::status(&degraded, Some(&system)));
    compare("status-logged-out", &show::status(&status("ready", &[]), None));
}
