//! The results that the page's guided tour shows before any weight has loaded: computed anew and compared with the file.
//!
//! After a change of the bundled model, `UPDATE_TOUR=1 cargo test --test tour` writes the file anew.

use pollster::block_on;
use serde::Serialize;
use serde_json::{Value, json};
use sklens::analysis::{Analysis, TensorValues};
use sklens::bundled::{DEFAULT_MODEL, weights};
use sklens::effective_field::EffectiveField;
use sklens::graph::{Graph, SkUnit};
use sklens::image::{WorkingImage, decode};
use sklens::network::preset;
use sklens::overrides::{ALL_UNITS, Override, RunOptions};
use sklens::session::{BackendChoice, FieldRequest, Session, View};
use sklens::weights::Source;
use std::path::{Path, PathBuf};

/// Photos of the gallery; the first one leads through the tour.
const PHOTOS: [&str; 4] = ["red-panda.jpg", "bison.jpg", "espresso.jpg", "dragonfly.jpg"];
/// Zooms per photo, 1 to 3.
const ZOOMS: usize = 9;
/// Guesses per zoom.
const GUESSES: usize = 3;
/// Channels that can be looked into.
const CHANNELS: usize = 6;
/// Pixels per side that a heat map is reduced to.
const MAP_SIDE: usize = 56;
/// Which of the squares of a field is told: that of 90 %.
const SQUARE: usize = 1;

/// Non-negative values as bytes, so that 255 is the brightest of all pictures beside it.
#[derive(Serialize)]
struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Picture {
    fn new(values: &[f32], [height, width]: [usize; 2], brightest: f32) -> Self {
        let pixels = values.iter().map(|v| (255.0 * v / brightest).round().clamp(0.0, 255.0) as u8).collect();
        Self { width, height, pixels }
    }

    /// A heat map of shape `[height, width]`, summed over blocks of pixels.
    fn reduced(map: &[f32], [height, width]: [usize; 2]) -> Self {
        let block = height.max(width).div_ceil(MAP_SIDE);
        let shape = [height.div_ceil(block), width.div_ceil(block)];
        let mut sums = vec![0.0; shape[0] * shape[1]];
        for (place, value) in map.iter().enumerate() {
            sums[place / width / block * shape[1] + place % width / block] += value;
        }
        let brightest = sums.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        Self::new(&sums, shape, brightest)
    }
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("www/src/tour/results.json")
}

/// To four decimals.
fn round(value: f32) -> f64 {
    (f64::from(value) * 1e4).round() / 1e4
}

fn rounded(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(round).collect()
}

/// A photo of the gallery with its entry.
fn photo(name: &str) -> (WorkingImage, Value) {
    let gallery = Path::new(env!("CARGO_MANIFEST_DIR")).join("www/public/gallery");
    let entries = std::fs::read_to_string(gallery.join("gallery.json")).expect("gallery.json");
    let entries: Vec<Value> = serde_json::from_str(&entries).expect("a list");
    let entry = entries.into_iter().find(|entry| entry["file"] == name).expect("an entry of the gallery");
    let pixels = decode(&std::fs::read(gallery.join(name)).expect("a photo")).expect("a picture");
    (WorkingImage::new(pixels), entry)
}

/// Where the object of an entry is.
fn center(entry: &Value) -> [f64; 2] {
    [0, 1].map(|axis| entry["centre"][axis].as_f64().expect("a fraction"))
}

/// Guesses and every unit's difference of attention at each zoom.
fn zooms(session: &mut Session, photo: &WorkingImage, entry: &Value) -> Vec<Value> {
    let scales = (0..ZOOMS).map(|step| 1.0 + 2.0 * step as f64 / (ZOOMS - 1) as f64).collect();
    let view = View { scales, center: center(entry), ..View::default() };
    let results = block_on(session.analyze(photo, &view)).expect("results");
    let guess = |p: &sklens::analysis::Prediction| json!({ "label": p.label, "probability": round(p.probability) });
    let zoom = |result: &Analysis| {
        let differences = result.units.iter().map(|unit| round(unit.mean_difference.expect("two branches")));
        json!({
            "scale": result.scale,
            "top": result.top.iter().take(GUESSES).map(guess).collect::<Vec<_>>(),
            "differences": differences.collect::<Vec<_>>(),
        })
    };
    results.iter().map(zoom).collect()
}

/// The last unit of each of the first `count` stages.
fn last_of_stages(graph: &Graph, count: usize) -> Vec<&SkUnit> {
    let stage = |unit: &SkUnit| unit.name.rsplit_once('_').map(|(stage, _)| stage.to_string());
    graph.units.chunk_by(|a, b| stage(a) == stage(b)).filter_map(<[SkUnit]>::last).take(count).collect()
}

/// What one position of `unit` sees of the photo under three kinds of attention.
fn window(session: &mut Session, photo: &WorkingImage, entry: &Value, unit: &SkUnit) -> Value {
    let mut field = |form: Option<Override>| {
        let overrides = form.map(|form| (ALL_UNITS.to_string(), vec![form])).into_iter().collect();
        let place = center(entry);
        let unit = unit.name.clone();
        let request = FieldRequest { unit, position: place, center: place, overrides, ..FieldRequest::default() };
        block_on(session.receptive_field(photo, &request)).expect("a field")
    };
    let shown = |field: &EffectiveField| {
        let square = &field.squares[SQUARE];
        json!({ "side": square.side, "map": Picture::reduced(&field.map, field.shape) })
    };
    let [small, own, large] = [Some(Override::Smallest), None, Some(Override::Largest)].map(&mut field);
    json!({
        "unit": unit.name,
        "pixel": own.pixel,
        "share": own.squares[SQUARE].share,
        "smallest": shown(&small),
        "network": shown(&own),
        "largest": shown(&large),
    })
}

/// One channel of a tensor.
fn channel(tensor: &TensorValues, channel: usize) -> &[f32] {
    let places = tensor.shape[1] * tensor.shape[2];
    &tensor.data[channel * places..][..places]
}

/// The channels with the largest mean output.
fn strongest(output: &TensorValues) -> Vec<usize> {
    let sum = |c: usize| channel(output, c).iter().sum::<f32>();
    let mut order: Vec<usize> = (0..output.shape[0]).collect();
    order.sort_by(|&a, &b| sum(b).total_cmp(&sum(a)));
    order.truncate(CHANNELS);
    order
}

/// What `unit` computes for the photo at zoom 1.
fn inside(session: &mut Session, photo: &WorkingImage, entry: &Value, graph: &Graph, unit: &SkUnit) -> Value {
    let name = |id| graph.tensor(id).name.clone();
    let branches: Vec<String> = unit.branch_outputs.iter().copied().map(name).collect();
    let [input, pooled, reduced, output] = [unit.branch_inputs[0], unit.pooled, unit.reduced, unit.output].map(name);
    let tensors = branches.iter().chain([&input, &pooled, &reduced, &output]).cloned().collect();
    let run = RunOptions { tensors, ..RunOptions::default() };
    let view = View { center: center(entry), run, ..View::default() };
    let result = block_on(session.analyze(photo, &view)).expect("results").remove(0);
    let attention = &result.units.iter().find(|u| u.name == unit.name).expect("the unit").attention;

    let tensor = |name: &String| &result.tensors[name];
    let chosen = strongest(tensor(&output));
    let brightest = |names: &[String]| {
        let values = names.iter().flat_map(|name| chosen.iter().flat_map(move |&c| channel(tensor(name), c)));
        values.copied().fold(f32::MIN_POSITIVE, f32::max)
    };
    let [of_input, of_branches] = [brightest(std::slice::from_ref(&input)), brightest(&branches)];
    let picture = |name: &String, c: usize, brightest: f32| {
        let [_, height, width] = tensor(name).shape;
        Picture::new(channel(tensor(name), c), [height, width], brightest)
    };
    let shown = |&c: &usize| {
        let shares: Vec<f32> = attention.iter().skip(c).step_by(unit.channels).copied().collect();
        json!({
            "channel": c + 1,
            "shares": rounded(&shares),
            "input": picture(&input, c, of_input),
            "branches": branches.iter().map(|name| picture(name, c, of_branches)).collect::<Vec<_>>(),
        })
    };
    json!({
        "unit": unit.name,
        "shape": tensor(&output).shape,
        "pooled": rounded(&tensor(&pooled).data),
        "squeezed": rounded(&tensor(&reduced).data),
        "attention": rounded(attention),
        "channels": chosen.iter().map(shown).collect::<Vec<_>>(),
    })
}

fn tour() -> Value {
    let source = Source::Static(weights(DEFAULT_MODEL).expect("bundled weights"));
    let mut session = block_on(Session::open(DEFAULT_MODEL, source, BackendChoice::Cpu, |_| ())).expect("session");
    let info = session.info().expect("info");
    let graph = preset(DEFAULT_MODEL).expect("preset").graph(info.input_size, info.classes).expect("graph");
    let photos: Vec<(WorkingImage, Value)> = PHOTOS.into_iter().map(photo).collect();
    let (leader, entry) = &photos[0];
    let units = last_of_stages(&graph, 2);
    let looked: Vec<Value> = units.iter().map(|unit| window(&mut session, leader, entry, unit)).collect();
    let inside = inside(&mut session, leader, entry, &graph, units[0]);
    let photos =
        photos.iter().map(|(photo, entry)| json!({ "entry": entry, "zooms": zooms(&mut session, photo, entry) }));
    json!({
        "inputSize": info.input_size,
        "cropPct": info.crop_pct,
        "classes": info.classes,
        "units": info.units,
        "windows": looked,
        "inside": inside,
        "photos": photos.collect::<Vec<_>>(),
    })
}

/// Where two documents differ by more than rounding; `key` names the nearest member that holds them.
fn difference(key: &str, found: &Value, expected: &Value) -> Option<String> {
    match (found, expected) {
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            a.iter().find_map(|(key, value)| difference(key, value, &b[key]))
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).find_map(|(a, b)| difference(key, a, b))
        }
        (Value::Number(a), Value::Number(b)) => {
            let tolerance = match key {
                "pixels" => 2.0,
                "side" => 1.0,
                _ => 2e-3,
            };
            let off = (a.as_f64()? - b.as_f64()?).abs();
            (off > tolerance).then(|| format!("{key}: {a} instead of {b}"))
        }
        _ => (found != expected).then(|| format!("{key} has another form or text")),
    }
}

#[test]
fn the_file_holds_what_the_bundled_model_computes() {
    let found = tour();
    if std::env::var_os("UPDATE_TOUR").is_some() {
        std::fs::create_dir_all(file().parent().expect("a folder")).expect("the folder");
        std::fs::write(file(), format!("{found}\n")).expect("the file can be written");
    }
    let expected = serde_json::from_str(&std::fs::read_to_string(file()).expect("the file")).expect("JSON");
    if let Some(difference) = difference("", &found, &expected) {
        panic!("{difference}; `UPDATE_TOUR=1 cargo test --test tour` writes {} anew", file().display());
    }
}

#[test]
fn drift_is_seen() {
    let with =
        |value: f64, pixel: u8, label: &str| json!({ "a": [{ "share": value }], "pixels": [pixel], "label": label });
    let expected = with(0.5, 10, "cat");
    assert_eq!(difference("", &with(0.501, 12, "cat"), &expected), None);
    for other in [with(0.51, 10, "cat"), with(0.5, 20, "cat"), with(0.5, 10, "dog"), json!({ "a": [] })] {
        assert!(difference("", &other, &expected).is_some(), "{other}");
    }
}
