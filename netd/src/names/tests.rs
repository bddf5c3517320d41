use super::*;
use model::network::settings::NetworkSettings;

#[test]
fn without_a_choice_the_built_in_servers_are_asked() {
    let built_in = translate(&ResolverSettings::default());
    assert_eq!(built_in, resolver::Settings::default());
    assert!(!built_in.upstreams.is_empty());
}

#[test]
fn the_owners_servers_are_asked_in_their_order_and_only_encrypted() {
    let text = r#"{"version":1,"resolver":{"private_names":["*.home.example","nas.example"],"upstreams":[
        {"server_name":"a.example","addresses":["192.0.2.1"],"transport":{"by":"https"}},
        {"server_name":"b.example","addresses":["192.0.2.2"],"transport":{"by":"tls","port":8853}}]}}"#;
    let settings: NetworkSettings = serde_json::from_str(text).unwrap();
    let translated = translate(&settings.resolver);
    let found: Vec<(&str, u16, &Protocol)> =
        translated.upstreams.iter().map(|u| (u.server_name.as_str(), u.port, &u.protocol)).collect();
    let path = DEFAULT_PATH.to_owned();
    assert_eq!(found, [("a.example", 443, &Protocol::Https { path }), ("b.example", 8853, &Protocol::Tls)]);
    assert_eq!(translated.rebinding_allowed.len(), 2);
}

#[test]
fn a_certificate_that_is_none_is_refused() {
    let certificate = DnsCertificate { chain_pem: "x".to_owned(), key_pem: "y".to_owned() };
    assert!(matches!(check(&certificate), Err(Net1Error::InvalidDocument(_))));
}
