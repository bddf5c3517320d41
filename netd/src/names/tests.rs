use super::*;
use model::network::settings;
use model::network::settings::NetworkSettings;
use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;
use std::num::NonZeroU16;

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
    let may_lead_inside = |name: &str| {
        let name = name.parse().unwrap();
        translated.rebinding_allowed.iter().any(|pattern| pattern.matches(&name))
    };
    for name in ["a.home.example", "b.a.home.example", "nas.example"] {
        assert!(may_lead_inside(name), "{name}");
    }
    for name in ["home.example", "a.nas.example", "example", "xhome.example", "nas.example.org"] {
        assert!(!may_lead_inside(name), "{name}");
    }
}

fn upstream(server_name: &str, port: u16) -> settings::Upstream {
    settings::Upstream {
        server_name: server_name.parse().unwrap(),
        addresses: vec![[192, 0, 2, 1].into()],
        transport: Transport::Tls { port: NonZeroU16::new(port) },
    }
}

#[test]
fn name_servers_that_the_resolver_does_not_take_are_refused_and_never_stop_it_from_starting() {
    let mut settings =
        ResolverSettings { upstreams: vec![upstream("a.example", 853); 8], ..ResolverSettings::default() };
    check_settings(&settings).unwrap();
    let (resolver, problem) = begin(&settings, Surroundings::default()).unwrap();
    assert_eq!((resolver.stats().upstreams.len(), problem), (8, None));
    for upstreams in [vec![upstream("a.example", 853); 9], vec![upstream("a.example", 53)]] {
        settings.upstreams = upstreams;
        assert!(matches!(check_settings(&settings), Err(Net1Error::InvalidDocument(_))));
        let (resolver, problem) = begin(&settings, Surroundings::default()).unwrap();
        let names: Vec<String> = resolver.stats().upstreams.into_iter().map(|used| used.name).collect();
        assert_eq!(names, ["Quad9", "Cloudflare"]);
        assert!(problem.unwrap().starts_with("the chosen name servers are not used"));
    }
}

/// What an owner may write, and a little more.
fn any_upstream() -> impl Strategy<Value = Value> {
    let label = "[a-z0-9_]{1,3}(-{1,2}[a-z0-9_]{1,60})?";
    let server_name = prop::collection::vec(label, 2..5).prop_map(|labels| labels.join("."));
    let addresses = prop::collection::vec(any::<IpAddr>(), 1..17);
    let port = prop::option::of(prop_oneof![Just(53), 1..=u16::MAX]);
    let path = prop::option::of("/[!-~]{0,127}");
    (server_name, addresses, port, path, any::<bool>()).prop_map(
        |(server_name, addresses, port, path, over_tls)| {
            let transport = if over_tls {
                json!({"by": "tls", "port": port})
            } else {
                json!({"by": "https", "port": port, "path": path})
            };
            json!({"server_name": server_name, "addresses": addresses, "transport": transport})
        },
    )
}

proptest! {
    #[test]
    fn whatever_the_model_takes_the_resolver_takes(
        upstreams in prop::collection::vec(any_upstream(), 0..10),
        private_names in prop::collection::vec("(\\*\\.)?[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\\.(xn--)?[a-z_]{1,59}", 0..17),
    ) {
        let count = private_names.len();
        // As many of the servers as the model takes one by one, so that few cases are wasted.
        let document = |upstreams: &[Value]| {
            json!({"version": 1, "resolver": {"upstreams": upstreams, "private_names": private_names}})
        };
        let read = |upstreams: &[Value]| {
            let settings: NetworkSettings = serde_json::from_value(document(upstreams)).ok()?;
            settings.check().is_ok().then_some(settings)
        };
        let upstreams: Vec<Value> =
            upstreams.into_iter().filter(|upstream| read(std::slice::from_ref(upstream)).is_some()).collect();
        let Some(settings) = read(&upstreams) else {
            prop_assert!(upstreams.len() > 8, "{upstreams:?}");
            return Ok(());
        };
        let translated = translate(&settings.resolver);
        prop_assert_eq!(translated.rebinding_allowed.len(), count);
        check_settings(&settings.resolver).unwrap();
        Resolver::new(translated, Surroundings::default()).unwrap();
    }
}

#[test]
fn a_caller_waits_longer_than_a_name_may_take() {
    let timing = resolver::config::Timing::default();
    assert!(hostapi::net1::METHOD_TIMEOUT > timing.whole_question + timing.helper);
}

#[test]
fn a_certificate_that_is_none_is_refused() {
    let certificate = DnsCertificate { chain_pem: "x".to_owned(), key_pem: "y".to_owned() };
    assert!(matches!(check(&certificate), Err(Net1Error::InvalidDocument(_))));
}
