//! `manifests/crds` is what `operator crd` prints.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::Path;
use urr_operator::crd;

#[test]
fn the_definitions_in_manifests_are_the_generated_ones() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/crds");
    for file in crd::files().unwrap() {
        let path = folder.join(&file.name);
        if std::env::var_os("URR_WRITE_CRDS").is_some() {
            std::fs::write(&path, &file.content).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            stored == file.content,
            "{} is not what the code says: run `URR_WRITE_CRDS=1 cargo test -p urr-operator --test crds`",
            path.display()
        );
    }
}

#[test]
fn the_stream_holds_every_definition() {
    let yaml = crd::yaml().unwrap();
    assert_eq!(yaml.matches("kind: CustomResourceDefinition").count(), 2);
}
