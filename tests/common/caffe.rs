//! `.caffemodel` files made of generated weights, under the layer names of the authors' prototxts.

use prost::encoding::{WireType, encode_key, encode_varint};
use sklens::graph::Graph;
use sklens::weights::generated::fill;

/// The parts of a batch norm in the order of `CuDNNBatchNorm`'s blobs.
const NORM: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

/// How a file is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Form {
    /// V1 layers (field 2) and blobs with num, channels, height, width in place of a shape.
    pub old: bool,
    /// `BatchNorm`, whose statistics are multiplied with a factor, and `Scale`, in place of `CuDNNBatchNorm`.
    pub factor: Option<f32>,
}

/// A field with bytes.
fn bytes(out: &mut Vec<u8>, number: u32, value: &[u8]) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

fn number(out: &mut Vec<u8>, field: u32, value: usize) {
    encode_key(field, WireType::Varint, out);
    encode_varint(value as u64, out);
}

fn blob(form: Form, shape: &[usize], values: &[f32]) -> Vec<u8> {
    let mut out = Vec::new();
    if form.old {
        let ones = std::iter::repeat_n(&1, 4 - shape.len());
        ones.chain(shape).zip(1..).for_each(|(&extent, field)| number(&mut out, field, extent));
    } else {
        let mut dimensions = Vec::new();
        shape.iter().for_each(|&extent| encode_varint(extent as u64, &mut dimensions));
        let mut message = Vec::new();
        bytes(&mut message, 1, &dimensions);
        bytes(&mut out, 7, &message);
    }
    let data: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    bytes(&mut out, 5, &data);
    out
}

fn layer(out: &mut Vec<u8>, form: Form, name: &str, blobs: &[Vec<u8>]) {
    let [number, name_field, blob_field] = if form.old { [2, 4, 6] } else { [100, 1, 7] };
    let mut message = Vec::new();
    bytes(&mut message, name_field, name.as_bytes());
    blobs.iter().for_each(|blob| bytes(&mut message, blob_field, blob));
    bytes(out, number, &message);
}

/// The layer of a convolution or fully connected layer, by our module path.
fn layer_name(path: &str) -> String {
    if path == "conv1" {
        return "conv1/7x7_s2".into();
    }
    let Some(rest) = path.strip_prefix("layer") else { return "classifier".into() };
    let mut parts = rest.splitn(3, '.');
    let mut index = || parts.next().unwrap().parse::<usize>().unwrap() + 1;
    let (stage, unit) = (index(), index());
    let part = match parts.next().unwrap() {
        "conv1.conv" => "1x1_reduce",
        "conv3.conv" => "1x1_increase",
        "downsample.0" => "1x1_proj",
        "conv2.attn.fc_reduce" => "B_fc1",
        "conv2.attn.fc_select" => "B_fc2",
        "conv2.paths.0.conv" => "3x3g32",
        "conv2.paths.1.conv" => "3x3g32d2",
        other => panic!("{other} is not in the prototxt"),
    };
    format!("conv{stage}_{unit}/{part}")
}

/// The convolution in front of a batch norm, by our module paths.
fn convolution(norm: &str) -> String {
    match norm {
        "bn1" => "conv1".into(),
        _ if norm.ends_with(".attn.bn") => norm.replace(".attn.bn", ".attn.fc_reduce"),
        _ if norm.ends_with(".downsample.1") => norm.replace(".downsample.1", ".downsample.0"),
        _ => format!("{}.conv", norm.strip_suffix(".bn").unwrap()),
    }
}

/// A file with the generated weights of `graph`, an SKNet.
pub fn caffemodel(graph: &Graph, form: Form) -> Vec<u8> {
    let mut out = Vec::new();
    bytes(&mut out, 1, b"sknet");
    let parameters = graph.parameters();
    for p in &parameters {
        let (path, part) = p.name.rsplit_once('.').unwrap();
        let values = fill(&p.name, &p.shape);
        match (part, p.shape.len()) {
            ("weight", 1) => norm(&mut out, form, path, p.shape[0]),
            ("weight", _) => {
                let mut blobs = vec![blob(form, &p.shape, &values)];
                let bias = format!("{path}.bias");
                if let Some(bias) = parameters.iter().find(|p| p.name == bias) {
                    blobs.push(blob(form, &bias.shape, &fill(&bias.name, &bias.shape)));
                }
                layer(&mut out, form, &layer_name(path), &blobs);
            }
            _ => {}
        }
    }
    out
}

fn norm(out: &mut Vec<u8>, form: Form, path: &str, channels: usize) {
    let name = format!("{}/bn", layer_name(&convolution(path)));
    let part = |part: &str, factor: f32| {
        let values: Vec<f32> = fill(&format!("{path}.{part}"), &[channels]).iter().map(|v| v * factor).collect();
        blob(form, &[channels], &values)
    };
    match form.factor {
        None => layer(out, form, &name, &NORM.map(|name| part(name, 1.0))),
        Some(factor) => {
            let statistics = [part(NORM[2], factor), part(NORM[3], factor), blob(form, &[1], &[factor])];
            layer(out, form, &name, &statistics);
            layer(out, form, &format!("{name}/scale"), &[part(NORM[0], 1.0), part(NORM[1], 1.0)]);
        }
    }
}
