//! A small internet: a signed root and four domains below it, one of them unsigned, one with damaged data, one with old signatures.

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use resolver::TrustAnchors;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

const EXAMPLE: &str = r#"
$ORIGIN example.
@ 3600 IN SOA ns.example. who.example. 1 3600 600 86400 60
@ 3600 IN NS ns.example.
ns 3600 IN A 127.0.0.1
www 300 IN A 192.0.2.1
www 300 IN AAAA 2001:db8::1
damaged 300 IN A 192.0.2.66
alias 300 IN CNAME www.example.
across 300 IN CNAME host.plain.
nowhere 300 IN CNAME missing.other.
empty 300 IN CNAME www.other.
*.wild 300 IN A 192.0.2.9
*.wildalias 300 IN CNAME www.other.
old 300 IN DNAME new.example.
host.new 300 IN A 192.0.2.77
loop1 300 IN CNAME loop2.example.
loop2 300 IN CNAME loop1.example.
"#;

/// Signed with NSEC3 and opt-out, unlike `example.`, which has NSEC.
const OTHER: &str = r"
$ORIGIN other.
@ 3600 IN SOA ns.other. who.other. 1 3600 600 86400 60
@ 3600 IN NS ns.other.
ns 3600 IN A 127.0.0.1
www 300 IN A 192.0.2.2
*.wild 300 IN A 192.0.2.9
";

const STALE: &str = r"
$ORIGIN stale.
@ 3600 IN SOA ns.stale. who.stale. 1 3600 600 86400 60
@ 3600 IN NS ns.stale.
ns 3600 IN A 127.0.0.1
www 300 IN A 192.0.2.3
";

const PLAIN: &str = r#"
$ORIGIN plain.
@ 3600 IN SOA ns.plain. who.plain. 1 3600 600 86400 60
@ 3600 IN NS ns.plain.
ns 3600 IN A 127.0.0.1
host 300 IN A 192.0.2.4
time 300 IN A 192.0.2.123
time 300 IN AAAA 2001:db8::123
inside 300 IN A 192.168.1.1
below.inside 300 IN A 192.168.1.2
mixed 300 IN A 192.0.2.5
mixed 300 IN A 10.0.0.1
inside6 300 IN AAAA fd00::1
mapped 300 IN AAAA ::ffff:192.168.1.1
nat64 300 IN AAAA 64:ff9b::c0a8:101
toinside 300 IN CNAME inside.plain.
service 300 IN HTTPS 1 . alpn="h2" ipv4hint=192.0.2.6
badservice 300 IN HTTPS 1 . alpn="h2" ipv4hint=192.168.1.1
badservice6 300 IN HTTPS 1 . ipv6hint=fd00::1
brief 0 IN A 192.0.2.7
"#;

/// Zone files as a name server serves them, and the root's key.
pub(crate) struct Zones {
    pub(crate) files: Vec<(&'static str, PathBuf)>,
    pub(crate) anchors: Arc<TrustAnchors>,
}

/// Writes and signs all zones into `folder`.
pub(crate) fn make(folder: &Path) -> Result<Zones> {
    let mut plain = PLAIN.to_owned();
    for number in 0..80 {
        plain.push_str(&format!("big 300 IN A 198.51.100.{number}\n"));
    }
    let (example, example_ds, _) = sign(folder, "example", EXAMPLE, &[])?;
    let (other, other_ds, _) = sign(folder, "other", OTHER, &["-n", "-p"])?;
    let (stale, stale_ds, _) = sign(folder, "stale", STALE, &["-i", "20200101", "-e", "20200201"])?;
    let unsigned = folder.join("plain.zone");
    fs::write(&unsigned, plain)?;

    let signed = fs::read_to_string(&example)?;
    ensure!(signed.contains("192.0.2.66"), "the record to damage is there");
    fs::write(&example, signed.replace("192.0.2.66", "192.0.2.67"))?;

    let mut root =
        ". 3600 IN SOA ns. who. 1 3600 600 86400 60\n. 3600 IN NS ns.\nns. 3600 IN A 127.0.0.1\n".to_owned();
    for zone in ["example", "other", "stale", "plain"] {
        root.push_str(&format!("{zone}. 3600 IN NS ns.{zone}.\nns.{zone}. 3600 IN A 127.0.0.1\n"));
    }
    root.push_str(&[example_ds, other_ds, stale_ds].concat());
    let (root, _, key) = sign(folder, ".", &root, &[])?;
    let anchors = key.parse::<TrustAnchors>().context("reading the root's key")?;
    Ok(Zones {
        files: vec![
            (".", root),
            ("example.", example),
            ("other.", other),
            ("stale.", stale),
            ("plain.", unsigned),
        ],
        anchors: Arc::new(anchors),
    })
}

/// Signs a zone; returns its file, its delegation record and its key.
fn sign(folder: &Path, zone: &str, text: &str, options: &[&str]) -> Result<(PathBuf, String, String)> {
    let stem = if zone == "." { "root" } else { zone };
    let file = format!("{stem}.zone");
    fs::write(folder.join(&file), text)?;
    let key = run(folder, "ldns-keygen", &["-a", "ECDSAP256SHA256", "-k", zone])?.trim().to_owned();
    let ds = run(folder, "ldns-key2ds", &["-n", "-2", &format!("{key}.key")])?;
    let signed = format!("{stem}.signed");
    let mut arguments = options.to_vec();
    arguments.extend(["-o", zone, "-f", &signed, &file, &key]);
    run(folder, "ldns-signzone", &arguments)?;
    let public = fs::read_to_string(folder.join(format!("{key}.key")))?;
    Ok((folder.join(signed), ds, public))
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .with_context(|| format!("running {program} (package ldnsutils)"))?;
    ensure!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
