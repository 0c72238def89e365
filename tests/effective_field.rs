//! Receptive fields of sessions: against PyTorch's automatic differentiation on both backends, against theory, and how
//! places of a photo are found.

#[path = "common/checkpoint.rs"]
mod checkpoint;
#[path = "common/golden.rs"]
mod golden;

use checkpoint::generated_checkpoint;
use golden::{Golden, integers};
use pollster::block_on;
use sklens::bundled::{DEFAULT_MODEL, weights};
use sklens::effective_field::EffectiveField;
use sklens::graph::{AttentionGradient, PixelBox};
use sklens::image::{Photo, WorkingImage};
use sklens::network::preset;
use sklens::overrides::{ALL_UNITS, Override};
use sklens::session::{BackendChoice, FieldRequest, Session};
use sklens::weights::Source;
use sklens::weights::generated::fill;
use std::collections::HashMap;

/// Allowed for ‖a − b‖ / ‖b‖.
const TOLERANCE: f64 = 1e-3;
const CLASSES: usize = 10;

fn open(network: &str, choice: BackendChoice) -> Session {
    let graph = preset(network).expect("preset").graph([64, 64], CLASSES).expect("graph");
    let source = generated_checkpoint(&graph, str::to_string);
    block_on(Session::open(network, source, choice, |_| ())).expect("session")
}

fn field_at(session: &mut Session, size: [usize; 2], request: &FieldRequest) -> EffectiveField {
    let shape = [1, 3, size[0], size[1]];
    block_on(session.receptive_field_of_tensor(&fill("input", &shape), shape, request)).expect("field")
}

fn distance(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut found.iter().zip(expected).map(|(a, b)| f64::from(a - b)));
    difference / norm(&mut expected.iter().map(|&b| f64::from(b)))
}

fn equals_pytorch(choice: BackendChoice) {
    let golden = Golden::read("receptive_field");
    let cases = golden.document["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 2 * 3 * 3 * 2);
    let mut sessions: HashMap<&str, Session> = HashMap::new();
    let mut worst = 0.0_f64;
    for case in cases {
        let text = |key: &str| case[key].as_str().expect("text");
        let size: [usize; 2] = integers(&golden.document["sizes"][text("network")]).try_into().expect("two sides");
        let session = sessions.entry(text("network")).or_insert_with(|| open(text("network"), choice));
        let graph = preset(text("network")).expect("network").graph(size, CLASSES).expect("graph");
        let unit = graph.units.iter().find(|u| u.name == text("unit")).expect("unit");
        let [_, height, width] = graph.tensor(unit.output).shape;
        let cell: [usize; 2] = integers(&case["cell"]).try_into().expect("x and y");
        // Where kernels are odd and padded by half, a field is centred on its first pixel of a stride.
        let at = |axis: usize, count: usize, side: usize| (cell[axis] * (side / count)) as f64 + 0.5;
        let position = [at(0, width, size[1]) / size[1] as f64, at(1, height, size[0]) / size[0] as f64];
        let attention = match text("attention") {
            "fixed" => AttentionGradient::Fixed,
            _ => AttentionGradient::Differentiated,
        };
        let request = FieldRequest { unit: unit.name.clone(), position, attention, ..FieldRequest::default() };
        let field = field_at(session, size, &request);
        assert_eq!(field.cell, cell);
        let distance = distance(&field.map, &golden.tensor(text("tensor")));
        assert!(distance <= TOLERANCE, "{} with {choice:?}: off by {distance}", text("tensor"));
        worst = worst.max(distance);
    }
    println!("with {choice:?}: off by {worst:.1e} at most");
}

#[test]
fn cpu_equals_pytorch() {
    equals_pytorch(BackendChoice::Cpu);
}

#[test]
fn gpu_equals_pytorch() {
    equals_pytorch(BackendChoice::Gpu);
}

/// The goldens tell a fixed attention from a differentiated one, and one place from another.
#[test]
fn the_goldens_differ() {
    let golden = Golden::read("receptive_field");
    let cases = golden.document["cases"].as_array().expect("cases");
    for (i, a) in cases.iter().enumerate() {
        for b in cases[..i].iter().filter(|b| b["unit"] == a["unit"] && b["network"] == a["network"]) {
            let [a, b] = [a, b].map(|case| golden.tensor(case["tensor"].as_str().expect("text")));
            assert!(distance(&a, &b) > 10.0 * TOLERANCE);
        }
    }
}

/// The smallest box around the pixels whose gradient is not 0.
fn support(field: &EffectiveField) -> PixelBox {
    let width = field.shape[1];
    let pixels = field.map.iter().enumerate().filter(|(_, v)| **v != 0.0);
    let boxes = pixels.map(|(p, _)| {
        let [x, y] = [p % width, p / width].map(|v| v as i64);
        PixelBox { x0: x, y0: y, x1: x + 1, y1: y + 1 }
    });
    let union = |a: PixelBox, b: PixelBox| PixelBox {
        x0: a.x0.min(b.x0),
        y0: a.y0.min(b.y0),
        x1: a.x1.max(b.x1),
        y1: a.y1.max(b.y1),
    };
    boxes.reduce(union).expect("a gradient")
}

fn within(inner: PixelBox, outer: PixelBox) -> bool {
    inner.x0 >= outer.x0 && inner.y0 >= outer.y0 && inner.x1 <= outer.x1 && inner.y1 <= outer.y1
}

/// Nothing outside the theoretical field acts while attention is fixed; with one kernel everywhere the field has that
/// kernel's width.
#[test]
fn maps_stay_within_theory() {
    for (network, units) in [
        ("sknet26", ["SK_2_1", "SK_3_2"]),
        ("sk_shufflenet_v2_x0_5", ["SK_2_2", "SK_3_1"]),
        ("sknet50_k3_k5_k7", ["SK_2_1", "SK_2_3"]),
    ] {
        let mut session = open(network, BackendChoice::Cpu);
        for unit in units {
            for position in [[0.0, 0.0], [0.5, 0.45], [0.98, 0.6]] {
                let plain = FieldRequest { unit: unit.into(), position, ..FieldRequest::default() };
                let of = |form: Override| FieldRequest {
                    overrides: [(ALL_UNITS.to_string(), vec![form])].into(),
                    ..plain.clone()
                };
                let [field, small, large] = [plain.clone(), of(Override::Smallest), of(Override::Largest)]
                    .map(|request| field_at(&mut session, [96, 128], &request));
                let inside = field.theoretical_inside.expect("a field");
                assert!(within(inside, field.theoretical) && within(support(&field), inside), "{network} {unit}");
                assert!(field.sizes.smallest < field.sizes.expected && field.sizes.expected < field.sizes.largest);
                assert_eq!([small.sizes.expected, large.sizes.expected], [field.sizes.smallest, field.sizes.largest]);
                let PixelBox { x0, y0, x1, y1 } = support(&small);
                assert!(
                    (x1 - x0).max(y1 - y0) as f64 <= field.sizes.smallest,
                    "{network} {unit}: {:?}",
                    support(&small)
                );
                let margin = ((field.sizes.largest - field.sizes.smallest) / 2.0) as i64;
                let theory = field.theoretical;
                let narrow = PixelBox {
                    x0: theory.x0 + margin,
                    y0: theory.y0 + margin,
                    x1: theory.x1 - margin,
                    y1: theory.y1 - margin,
                };
                assert!(within(support(&small), narrow), "{network} {unit}");
                assert!(!within(support(&large), narrow), "{network} {unit}");
            }
        }
    }
}

/// By way of the pooled vector every pixel acts on a differentiated attention, but not on a replaced one.
#[test]
fn a_replaced_attention_has_no_gradient() {
    let mut session = open("sk_shufflenet_v2_x0_5", BackendChoice::Cpu);
    let differentiated =
        FieldRequest { unit: "SK_2_2".into(), attention: AttentionGradient::Differentiated, ..FieldRequest::default() };
    let size = [128, 128];
    let field = field_at(&mut session, size, &differentiated);
    assert!(!within(support(&field), field.theoretical));
    let replaced =
        FieldRequest { overrides: [(ALL_UNITS.to_string(), vec![Override::Uniform])].into(), ..differentiated.clone() };
    let fixed = FieldRequest { attention: AttentionGradient::Fixed, ..replaced.clone() };
    let [replaced, fixed] = [replaced, fixed].map(|request| field_at(&mut session, size, &request));
    assert!(distance(&replaced.map, &fixed.map) < 1e-5);
    assert!(distance(&replaced.map, &field.map) > 0.1);
    let swapped = FieldRequest {
        overrides: [(ALL_UNITS.to_string(), vec![Override::Swap])].into(),
        ..FieldRequest { attention: AttentionGradient::Fixed, ..differentiated.clone() }
    };
    let swapped = field_at(&mut session, size, &swapped);
    // Branches of 3 and 5 pixels: what one share lacks the other has.
    assert!((swapped.sizes.expected + field.sizes.expected - field.sizes.smallest - field.sizes.largest).abs() < 1.0);
    assert_eq!(field_at(&mut session, size, &differentiated).map, field.map);
}

fn bundled() -> Session {
    let source = Source::Static(weights(DEFAULT_MODEL).expect("bundled weights"));
    block_on(Session::open(DEFAULT_MODEL, source, BackendChoice::Cpu, |_| ())).expect("session")
}

/// A photo of noise, so that no gradient vanishes.
fn photo(width: usize, height: usize) -> WorkingImage {
    let mut rng = fastrand::Rng::with_seed(3);
    let rgb = (0..3 * width * height).map(|_| rng.u8(..)).collect();
    WorkingImage::new(Photo::from_rgb(rgb, width, height).expect("photo"))
}

#[test]
fn places_of_a_photo_are_found_in_the_crop() {
    let mut session = bundled();
    let [side, _] = session.info().expect("info").input_size;
    let crop_pct = session.info().expect("info").crop_pct;
    let photo = photo(300, 200);
    let request = |position, scale, center| FieldRequest {
        unit: "SK_2_2".into(),
        position,
        scale,
        center,
        ..FieldRequest::default()
    };
    let mut at = |request: &FieldRequest| block_on(session.receptive_field(&photo, request));
    let middle = at(&request([0.5, 0.5], 1.0, [0.5, 0.5])).expect("field");
    assert_eq!(middle.pixel, [side / 2; 2]);
    assert_eq!(middle.shape, [side; 2]);
    assert_eq!(middle.map.len(), side * side);
    assert!(middle.squares.windows(2).all(|pair| pair[0].side <= pair[1].side) && middle.squares.len() == 3);
    assert!((middle.pixel[0].abs_diff(middle.cell[0] * 8)) <= 4);

    let scale = 2.0;
    let crop = 200.0 * crop_pct / scale;
    let field = at(&request([0.25, 0.5], scale, [0.3, 0.5])).expect("field");
    let expected = (0.25 * 300.0 - (0.3 * 300.0 - crop / 2.0)) / crop * side as f64;
    assert!((field.pixel[0] as f64 + 0.5 - expected).abs() <= 1.0, "{:?} is not at {expected}", field.pixel);

    let refusal = at(&request([0.9, 0.5], scale, [0.3, 0.5])).expect_err("refused").message;
    assert!(refusal.contains("[0.9, 0.5]") && refusal.contains("scale 2"), "{refusal}");
    for (request, named) in [
        (request([f64::NAN, 0.5], 1.0, [0.5; 2]), "NaN"),
        (request([0.5, 1.5], 1.0, [0.5; 2]), "1.5"),
        (request([0.5, 0.5], 9.0, [0.5; 2]), "9"),
        (FieldRequest { unit: "SK_9_9".into(), ..FieldRequest::default() }, "SK_4_3"),
        (
            FieldRequest {
                overrides: [("SK_2_2".to_string(), vec![Override::Branch(7)])].into(),
                ..request([0.5; 2], 1.0, [0.5; 2])
            },
            "SK_2_2",
        ),
    ] {
        let message = at(&request).expect_err("refused").message;
        assert!(message.contains(named), "{message}");
    }
    let tensor = fill("input", &[2, 3, 64, 64]);
    let plain = request([0.5; 2], 1.0, [0.5; 2]);
    let refused = block_on(session.receptive_field_of_tensor(&tensor, [2, 3, 64, 64], &plain)).expect_err("refused");
    assert!(refused.message.contains("2 pictures"), "{refused}");
}
