//! The profile that makes iPhones, iPads and Macs ask this box for names.
//!
//! It brings the household authority and DNS over TLS to the box, but only where the box can be reached: away from home the
//! device goes on with its usual name servers. (Apple, Device Management: `DNSSettings` and `CertificateRoot` payloads; the
//! on-demand rules are those of VPN payloads, where the first rule that matches decides.) DNS over TLS rather than HTTPS,
//! because this server speaks HTTP/1.1 only and RFC 8484 section 5.2 recommends no version below HTTP/2.
//!
//! It is not signed: the device shows it as such, and the owner got it from the box over a connection they trust.

use crate::api::Call;
use crate::api::error::ApiError;
use crate::api::error::ErrorBody;
use crate::web::Reply;
use crate::web::reply;
use crate::web::set_header;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::header::CONTENT_DISPOSITION;
use sha2::Digest;
use sha2::Sha256;

/// The Apple profile for DNS over TLS to this box.
#[utoipa::path(
    get,
    path = "/network/dns.mobileconfig",
    responses(
        (status = 200, body = String, content_type = "application/x-apple-aspen-config"),
        (status = 403, body = ErrorBody, description = "`dns_not_served` or `not_at_home`"),
        (status = 503, body = ErrorBody, description = "`network_unavailable`"),
    )
)]
pub(crate) async fn show_profile(call: Call) -> Result<Reply, ApiError> {
    let app = &call.app;
    let name = app.summary().host_name;
    let probe = format!("{}{}/status", app.url(&name), super::super::BASE);
    let text = profile(&name.local(), &probe, app.authority.certificate());
    let mut reply = reply(StatusCode::OK, "application/x-apple-aspen-config", text);
    set_header(&mut reply, CONTENT_DISPOSITION, "attachment; filename=\"hearth-dns.mobileconfig\"");
    Ok(reply)
}

/// The profile for a server of this name that answers at the address `probe` when it is near.
fn profile(server: &str, probe: &str, authority: &[u8]) -> String {
    let id = |part: &str| uuid(authority, part);
    let (whole, root, dns) = (id("profile"), id("authority"), id("dns"));
    let (server, probe) = (escape(server), escape(probe));
    let certificate = STANDARD.encode(authority);
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>PayloadType</key><string>Configuration</string>
  <key>PayloadVersion</key><integer>1</integer>
  <key>PayloadIdentifier</key><string>org.hearthos.dns.{whole}</string>
  <key>PayloadUUID</key><string>{whole}</string>
  <key>PayloadDisplayName</key><string>Names at home: {server}</string>
  <key>PayloadDescription</key><string>At home, this device asks your Hearth box ({server}) for names, encrypted. Elsewhere nothing changes.</string>
  <key>PayloadRemovalDisallowed</key><false/>
  <key>PayloadContent</key>
  <array>
    <dict>
      <key>PayloadType</key><string>com.apple.security.root</string>
      <key>PayloadVersion</key><integer>1</integer>
      <key>PayloadIdentifier</key><string>org.hearthos.authority.{root}</string>
      <key>PayloadUUID</key><string>{root}</string>
      <key>PayloadDisplayName</key><string>Hearth household certificate</string>
      <key>PayloadContent</key><data>{certificate}</data>
    </dict>
    <dict>
      <key>PayloadType</key><string>com.apple.dnsSettings.managed</string>
      <key>PayloadVersion</key><integer>1</integer>
      <key>PayloadIdentifier</key><string>org.hearthos.dns.{dns}</string>
      <key>PayloadUUID</key><string>{dns}</string>
      <key>PayloadDisplayName</key><string>DNS over TLS at {server}</string>
      <key>DNSSettings</key>
      <dict>
        <key>DNSProtocol</key><string>TLS</string>
        <key>ServerName</key><string>{server}</string>
      </dict>
      <key>OnDemandRules</key>
      <array>
        <dict>
          <key>InterfaceTypeMatch</key><string>Cellular</string>
          <key>Action</key><string>Disconnect</string>
        </dict>
        <dict>
          <key>URLStringProbe</key><string>{probe}</string>
          <key>Action</key><string>Connect</string>
        </dict>
        <dict>
          <key>Action</key><string>Disconnect</string>
        </dict>
      </array>
    </dict>
  </array>
</dict>
</plist>
"#
    )
}

/// The same for the same household and part, so that a second download replaces the first instead of standing beside it.
/// Version 8 of RFC 9562 section 5.8: the bits are ours, taken from a hash.
fn uuid(authority: &[u8], part: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"hearth profile ");
    hash.update(part);
    hash.update(b" ");
    hash.update(authority);
    let bits = hash.finalize().iter().take(16).fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    let bits = bits & !(0xf << 76) | 8 << 76;
    let bits = bits & !(0b11 << 62) | 0b10 << 62;
    let hex = format!("{bits:032X}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| hex.get(range).unwrap_or_default());
    parts.join("-")
}

/// Text as it may stand between tags (XML 1.0 section 2.4).
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_stable_uuids_of_the_household() {
        let one = uuid(b"one", "dns");
        assert_eq!(one, uuid(b"one", "dns"));
        assert_ne!(one, uuid(b"other", "dns"));
        assert_ne!(one, uuid(b"one", "profile"));
        let parts: Vec<&str> = one.split('-').collect();
        assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert!(parts[2].starts_with('8') && "89AB".contains(&parts[3][..1]), "{one}");
        assert!(one.bytes().all(|b| b == b'-' || b.is_ascii_digit() || b.is_ascii_uppercase()));
    }

    #[test]
    fn what_is_put_in_is_escaped_and_every_tag_is_closed() {
        let text = profile("<oak>&.local", "https://oak.local/?a&b", &[1, 2, 3]);
        assert!(text.contains("<string>&lt;oak&gt;&amp;.local</string>"));
        assert!(text.contains("<string>https://oak.local/?a&amp;b</string>"));
        assert!(text.contains("<data>AQID</data>"));
        for tag in ["dict", "array", "string", "key", "plist", "integer", "data"] {
            let opened =
                text.matches(&format!("<{tag}>")).count() + text.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, text.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }
}
