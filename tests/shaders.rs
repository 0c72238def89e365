//! Every WGSL file is valid on its own.

use naga::valid::{Capabilities, ValidationFlags, Validator};
use sklens::kernels::{SHADERS, Shader};
use std::collections::BTreeSet;

#[test]
fn every_shader_validates_and_has_its_entry_point() {
    for shader in SHADERS {
        validate(shader, shader.wgsl);
        let file = format!("{}/shaders/{}.wgsl", env!("CARGO_MANIFEST_DIR"), shader.name);
        validate(shader, &std::fs::read_to_string(file).unwrap());
    }
}

/// As it ships or as it is written.
fn validate(shader: &Shader, wgsl: &str) {
    let module =
        naga::front::wgsl::parse_str(wgsl).unwrap_or_else(|e| panic!("{}: {}", shader.name, e.emit_to_string(wgsl)));
    // unpack2x16float, which every WebGPU adapter has.
    Validator::new(ValidationFlags::all(), Capabilities::SHADER_FLOAT16_IN_FLOAT32)
        .validate(&module)
        .unwrap_or_else(|e| panic!("{}: {}", shader.name, e.emit_to_string(wgsl)));
    let entry = module.entry_points.iter().find(|e| e.name == shader.entry);
    assert!(entry.is_some(), "{} lacks entry point {}", shader.name, shader.entry);
}

#[test]
fn every_file_in_the_folder_ships() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|f| f.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".wgsl").map(str::to_string))
        .collect();
    let shipped: BTreeSet<String> = SHADERS.iter().map(|s| s.name.to_string()).collect();
    assert_eq!(files, shipped);
}
