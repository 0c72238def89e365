//! What the bundled model sees in the gallery's photos, as the page shows them first.

use pollster::block_on;
use serde_json::Value;
use sklens::bundled::{DEFAULT_MODEL, weights};
use sklens::image::{WorkingImage, decode};
use sklens::session::{BackendChoice, Session, View};
use sklens::weights::Source;
use std::path::Path;

/// Each photo with the class that it is expected to be of; none where the model has no such class.
const CLASSES: [(&str, Option<&str>); 12] = [
    ("red-panda.jpg", Some("lesser panda")),
    ("bison.jpg", Some("bison")),
    ("german-shepherd.jpg", Some("German shepherd")),
    ("koala.jpg", Some("koala")),
    // A chinstrap penguin, which is no class; the king penguin is the nearest.
    ("penguin.jpg", Some("king penguin")),
    ("camels.jpg", Some("Arabian camel")),
    ("egyptian-cat.jpg", Some("Egyptian cat")),
    ("espresso.jpg", Some("espresso")),
    ("dragonfly.jpg", Some("dragonfly")),
    ("alp.jpg", Some("alp")),
    ("viaduct.jpg", Some("viaduct")),
    ("fig.jpg", None),
];

/// The classes in the order of their probability, at zoom 1 around the photo's centre of interest.
fn seen(session: &mut Session, entry: &Value) -> Vec<String> {
    let file = entry["file"].as_str().expect("a file");
    let bytes = std::fs::read(Path::new(GALLERY).join(file)).expect(file);
    let photo = WorkingImage::new(decode(&bytes).expect(file));
    let center = [0, 1].map(|axis| entry["centre"][axis].as_f64().expect("a centre"));
    let results = block_on(session.analyze(&photo, &View { center, ..View::default() })).expect(file);
    results[0].top.iter().map(|prediction| prediction.label.clone()).collect()
}

const GALLERY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/www/public/gallery");

#[test]
fn photos_of_known_classes_are_recognised_among_the_first_five() {
    let text = std::fs::read_to_string(Path::new(GALLERY).join("gallery.json")).expect("gallery.json");
    let entries: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let files: Vec<_> = entries.iter().map(|entry| entry["file"].as_str().expect("a file")).collect();
    assert_eq!(files, CLASSES.map(|(file, _)| file), "each photo of the gallery has its line");
    let source = Source::Static(weights(DEFAULT_MODEL).expect("weights"));
    let mut session = block_on(Session::open(DEFAULT_MODEL, source, BackendChoice::Cpu, |_| ())).expect("session");
    for (entry, (file, class)) in entries.iter().zip(CLASSES) {
        let found = seen(&mut session, entry);
        assert_eq!(found.len(), 5, "{file}");
        if let Some(class) = class {
            assert!(found.iter().any(|label| label == class), "{file} is seen as {found:?}, not as {class}");
        }
    }
}
