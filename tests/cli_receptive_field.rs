//! Receptive fields on the command line.

use serde_json::Value;
use sklens::image::decode;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const GALLERY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/www/public/gallery");

fn field(photos: &[&str], options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sklens"))
        .args(["receptive-field", "--backend", "cpu", "--unit", "SK_3_4"])
        .args(photos)
        .args(options)
        .output()
        .expect("sklens runs")
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON object per line")).collect()
}

fn map(line: &Value) -> Vec<f64> {
    line["map"].as_array().expect("a map").iter().map(|v| v.as_f64().expect("a number")).collect()
}

fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("sklens-field-{}-{name}", std::process::id()))
}

fn gallery(name: &str) -> String {
    Path::new(GALLERY).join(name).display().to_string()
}

#[test]
fn json_and_picture_hold_the_same_map() {
    let (photo, png) = (gallery("bison.jpg"), temporary("heat.png"));
    let options = ["--json", "--size", "96x128", "--position", "0.45,0.6", "--png", png.to_str().expect("UTF-8")];
    let line = lines(&field(&[&photo], &options)).remove(0);
    let picture = decode(&std::fs::read(&png).expect("a picture")).expect("PNG");
    std::fs::remove_file(&png).expect("removed");
    assert_eq!(line["shape"], serde_json::json!([96, 128]));
    let map = map(&line);
    assert_eq!((picture.width(), picture.height(), map.len()), (128, 96, 96 * 128));
    let brightness = |p: usize| picture.rgb()[3 * p..3 * p + 3].iter().map(|&v| u32::from(v)).sum::<u32>();
    let brightest = (0..map.len()).max_by(|&a, &b| map[a].total_cmp(&map[b])).expect("pixels");
    assert_eq!(brightness(brightest), 252 + 255 + 164);
    assert!((0..map.len()).filter(|&p| map[p] == 0.0).all(|p| brightness(p) == 4));

    let total: f64 = map.iter().sum();
    for square in line["squares"].as_array().expect("squares") {
        let edge = |name: &str| square["bounds"][name].as_u64().expect("an edge") as usize;
        let rows = edge("y0")..edge("y1");
        let held: f64 = rows.flat_map(|y| (edge("x0")..edge("x1")).map(move |x| y * 128 + x)).map(|p| map[p]).sum();
        assert!(held >= square["share"].as_f64().expect("a share") * total * (1.0 - 1e-6));
    }
    assert!(line["theoreticalInside"]["x0"].as_i64() >= line["theoretical"]["x0"].as_i64());
    assert!(line["sizes"]["smallest"].as_f64() < line["sizes"]["expected"].as_f64());
}

#[test]
fn a_mean_is_the_mean_of_its_photos() {
    let photos = [gallery("bison.jpg"), gallery("koala.jpg")];
    let photos: Vec<_> = photos.iter().map(String::as_str).collect();
    let options = ["--json", "--override", "*=largest"];
    let apart = lines(&field(&photos, &options));
    assert_eq!(apart.len(), 2);
    assert_eq!(apart[0]["sizes"]["expected"], apart[0]["sizes"]["largest"]);
    let mean = lines(&field(&photos, &[&options[..], &["--mean"]].concat())).remove(0);
    assert_eq!((&mean["photos"], &mean["photo"]), (&Value::from(2), &Value::Null));
    let (first, second, mean) = (map(&apart[0]), map(&apart[1]), map(&mean));
    let largest = mean.iter().copied().fold(0.0, f64::max);
    assert!(first != second);
    assert!((0..mean.len()).all(|p| ((first[p] + second[p]) / 2.0 - mean[p]).abs() <= 1e-6 * largest));

    let folder = temporary("folder");
    std::fs::create_dir_all(folder.join("inner")).expect("a folder");
    std::fs::copy(photos[0], folder.join("one.jpg")).expect("a copy");
    std::fs::copy(photos[1], folder.join("inner/two.jpg")).expect("a copy");
    std::fs::write(folder.join("notes.txt"), "no photo").expect("a file");
    let text = field(&[folder.to_str().expect("UTF-8")], &["--mean"]);
    std::fs::remove_dir_all(&folder).expect("removed");
    let text = String::from_utf8(text.stdout).expect("UTF-8");
    assert!(text.starts_with("mean of 2 photos") && text.contains("px hold 90 %"), "{text}");
}

#[test]
fn wrong_calls_say_why() {
    let photo = gallery("bison.jpg");
    for (options, status, why) in [
        (&["--unit", "SK_9_9"][..], 2, "SK_4_3"),
        (&["--position", "0.5"], 2, "X,Y"),
        (&["--position", "1.5,0.5"], 2, "1.5"),
        (&["--attention", "free"], 2, "differentiated"),
        (&["--override", "SK_2_1=branch:2"], 2, "SK_2_1"),
        (&["--scale", "4", "--position", "0.05,0.05"], 1, "outside the crop"),
    ] {
        let arguments = if options[0] == "--unit" { vec![] } else { vec!["--unit", "SK_3_4"] };
        let output = Command::new(env!("CARGO_BIN_EXE_sklens"))
            .args(["receptive-field", "--backend", "cpu", &photo])
            .args(arguments)
            .args(options)
            .output()
            .expect("sklens runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{options:?}: {error}");
        assert!(error.contains(why) && output.stdout.is_empty(), "{options:?}: {error}");
    }
    let two = field(&[&photo, &photo], &["--png", "never.png"]);
    assert_eq!(two.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&two.stderr).contains("--mean") && !Path::new("never.png").exists());
}
