//! Documents as registries have them, and as they must not be.

use super::*;
use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;

const SUM: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn image() -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": { "mediaType": OCI_CONFIG, "digest": SUM, "size": 7 },
        "layers": [{ "mediaType": format!("{OCI_LAYER}+gzip"), "digest": SUM, "size": 9 }],
    })
}

fn list() -> Value {
    let row = |architecture: &str| {
        json!({ "mediaType": OCI_MANIFEST, "digest": SUM, "size": 7,
            "platform": { "os": "linux", "architecture": architecture } })
    };
    json!({ "schemaVersion": 2, "manifests": [row("s390x"), row("amd64")] })
}

fn read(document: &Value) -> Result<Document, Refused> {
    parse(document.to_string().as_bytes(), None, &Limits::default())
}

fn refusal(document: &Value) -> Refused {
    read(document).unwrap_err()
}

fn with(pointer: &str, value: Value) -> Value {
    let mut document = image();
    *document.pointer_mut(pointer).unwrap() = value;
    document
}

#[test]
fn an_image_of_either_kind_is_read() {
    let docker = json!({
        "schemaVersion": 2, "mediaType": DOCKER_MANIFEST,
        "config": { "mediaType": DOCKER_CONFIG, "digest": SUM, "size": 7 },
        "layers": [{ "mediaType": format!("{DOCKER_LAYER}.gzip"), "digest": SUM, "size": 9 }],
    });
    let mut docker_zstd = docker.clone();
    docker_zstd["layers"][0]["mediaType"] = json!(format!("{DOCKER_LAYER}.zstd"));
    for document in [image(), docker, docker_zstd] {
        let Document::Manifest(manifest) = read(&document).unwrap() else { panic!("{document}") };
        assert_eq!(manifest.layers[0].size, 9);
        let again = write(&manifest.config, &manifest.layers);
        assert_eq!(
            parse(&again, Some(OCI_MANIFEST), &Limits::default()).unwrap(),
            Document::Manifest(manifest)
        );
    }
}

#[test]
fn a_list_has_one_for_the_board_or_says_what_it_has() {
    let Document::Index(index) = read(&list()).unwrap() else { panic!("no list") };
    assert_eq!(index.choose(&Platform::linux("amd64")).unwrap().size, 7);
    let refused = index.choose(&Platform::linux("arm64")).unwrap_err();
    assert_eq!(
        refused,
        Refused::Platform { wanted: "linux/arm64".into(), found: "linux/s390x, linux/amd64".into() }
    );
}

#[test]
fn the_old_kind_is_named() {
    assert_eq!(refusal(&json!({ "schemaVersion": 1, "fsLayers": [], "history": [] })), Refused::Schema1);
    let announced = parse(b"{}", Some(SCHEMA_1[1]), &Limits::default());
    assert_eq!(announced.unwrap_err(), Refused::Schema1);
}

#[test]
fn two_readings_of_one_document_are_refused() {
    let mut both = image();
    both["manifests"] = json!([]);
    assert!(matches!(refusal(&both), Refused::Document { .. }));
    let says_list = parse(image().to_string().as_bytes(), Some(OCI_INDEX), &Limits::default());
    assert!(matches!(says_list.unwrap_err(), Refused::Document { .. }));
}

#[test]
fn limits_hold() {
    let limits = Limits { document: 500, layers: 1, image_bytes: 8, ..Limits::default() };
    let small = |document: &Value| parse(document.to_string().as_bytes(), None, &limits).unwrap_err();
    assert_eq!(small(&image()), Refused::ImageSize { found: 9, limit: 8 });
    let mut two = image();
    two["layers"] = json!([image()["layers"][0], image()["layers"][0]]);
    assert_eq!(
        refusal_with(&two, &Limits { layers: 1, ..Limits::default() }),
        Refused::Layers { found: 2, limit: 1 }
    );
    let long = Refused::DocumentSize { what: "manifest".into(), limit: 500 };
    assert_eq!(small(&with("/mediaType", json!("x".repeat(500)))), long);
    let config = with("/config/size", json!(501));
    assert_eq!(small(&config), Refused::DocumentSize { what: "configuration".into(), limit: 500 });
    let huge = with("/layers/0/size", json!(u64::MAX));
    assert_eq!(refusal(&huge), Refused::ImageSize { found: u64::MAX, limit: 16 << 30 });
}

fn refusal_with(document: &Value, limits: &Limits) -> Refused {
    parse(document.to_string().as_bytes(), None, limits).unwrap_err()
}

#[test]
fn other_kinds_are_named() {
    let chart = "application/vnd.cncf.helm.config.v1+json";
    assert_eq!(refusal(&with("/config/mediaType", json!(chart))), Refused::MediaType { kind: chart.into() });
    assert_eq!(refusal(&with("/mediaType", json!("x/y"))), Refused::MediaType { kind: "x/y".into() });
    let locked = format!("{OCI_LAYER}+gzip+encrypted");
    assert_eq!(refusal(&with("/layers/0/mediaType", json!(locked))), Refused::LayerKind { kind: locked });
    let mut foreign = image();
    foreign["layers"][0]["urls"] = json!(["https://example.com/layer"]);
    assert!(matches!(refusal(&foreign), Refused::LayerKind { .. }));
    let other = with("/config/digest", json!("sha512:00"));
    assert!(matches!(refusal(&other), Refused::DigestKind { .. }));
    assert!(matches!(refusal(&with("/layers/0/size", json!(-1))), Refused::Document { .. }));
    assert!(matches!(refusal(&json!({ "schemaVersion": 3 })), Refused::Document { .. }));
}

#[test]
fn a_configuration_must_suit_board_and_manifest() {
    let text =
        json!({ "os": "linux", "architecture": "amd64", "rootfs": { "type": "layers", "diff_ids": [SUM] } });
    let config = parse_config(text.to_string().as_bytes(), &Limits::default()).unwrap();
    let Document::Manifest(manifest) = read(&image()).unwrap() else { panic!("no image") };
    config.check(&manifest, &Platform::linux("amd64")).unwrap();
    let refused = config.check(&manifest, &Platform::linux("arm64")).unwrap_err();
    assert_eq!(refused, Refused::Platform { wanted: "linux/arm64".into(), found: "linux/amd64".into() });
    let none = Manifest { layers: Vec::new(), ..manifest };
    let refused = config.check(&none, &Platform::linux("amd64")).unwrap_err();
    assert_eq!(refused, Refused::LayerCount { manifest: 0, config: 1 });
}

proptest! {
    #[test]
    fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        drop(parse(&bytes, None, &Limits::default()));
        drop(parse_config(&bytes, &Limits::default()));
    }

    /// Bytes that get further: a document with some of them changed.
    #[test]
    fn changed_documents_end(at in 0_usize..300, byte in any::<u8>()) {
        for document in [image(), list()] {
            let mut bytes = document.to_string().into_bytes();
            let at = at % bytes.len();
            bytes[at] = byte;
            drop(parse(&bytes, None, &Limits::default()));
        }
    }
}
