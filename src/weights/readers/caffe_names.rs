//! The names of the authors' prototxts in ours: `conv3_2/3x3g32d2` is `layer2.1.conv2.paths.1.conv`.

use super::bytes::Bytes;
use super::caffe::{Layer, scalar};
use super::{Fault, refuse};
use crate::weights::Entry;

/// The parts of a batch norm under PyTorch's names, in the order of `CuDNNBatchNorm`'s blobs.
const NORM: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

/// The tensors of a layer under our names; those of unknown layers keep theirs, with the number of the blob.
pub(super) fn tensors(bytes: &Bytes, layer: Layer) -> Result<Vec<(String, Entry)>, Fault> {
    let Layer { name, mut blobs } = layer;
    let norm = name.strip_suffix("/scale").unwrap_or(&name);
    let norm = norm.strip_suffix("/bn").and_then(convolution).map(|conv| norm_of(&conv));
    if let (Some(norm), parts) = (norm, blobs.len()) {
        let names: &[&str] = match parts {
            // BatchNorm, whose statistics are to be divided by its third blob.
            3 => {
                let factor = scalar(bytes, &blobs.remove(2))?;
                let factor = if factor == 0.0 { 0.0 } else { 1.0 / factor };
                blobs.iter_mut().for_each(|blob| blob.factor = factor);
                &NORM[2..]
            }
            // Scale, which follows BatchNorm.
            2 => &NORM[..2],
            4 => &NORM,
            0 => &[],
            _ => return refuse(format!("batch norm {name} has {parts} blobs; expected are 2, 3 or 4")),
        };
        let vector = |(part, blob): (&&str, Entry)| (format!("{norm}.{part}"), with_dimensions(blob, 1));
        return Ok(names.iter().zip(blobs).map(vector).collect());
    }
    let known = convolution(&name);
    let named = |(i, blob): (usize, Entry)| match (&known, i) {
        (Some(ours), 0) => (format!("{ours}.weight"), with_dimensions(blob, if ours == "fc" { 2 } else { 4 })),
        (Some(ours), 1) => (format!("{ours}.bias"), with_dimensions(blob, 1)),
        _ => (format!("{name}.blob{i}"), blob),
    };
    Ok(blobs.into_iter().enumerate().map(named).collect())
}

/// Our name of a convolution or fully connected layer.
fn convolution(name: &str) -> Option<String> {
    match name {
        "conv1/7x7_s2" => return Some("conv1".into()),
        "classifier" => return Some("fc".into()),
        _ => {}
    }
    let (block, part) = name.strip_prefix("conv")?.split_once('/')?;
    let (stage, unit) = block.split_once('_')?;
    let (stage, unit) = (stage.parse::<usize>().ok()?.checked_sub(1)?, unit.parse::<usize>().ok()?.checked_sub(1)?);
    let inner = match part {
        "1x1_reduce" => "conv1.conv".to_string(),
        "1x1_increase" => "conv3.conv".to_string(),
        "1x1_proj" => "downsample.0".to_string(),
        "B_fc1" => "conv2.attn.fc_reduce".to_string(),
        "B_fc2" => "conv2.attn.fc_select".to_string(),
        _ => format!("conv2.paths.{}.conv", branch(part)?),
    };
    Some(format!("layer{stage}.{unit}.{inner}"))
}

/// The number of the branch `3x3g32` or, with dilation, `3x3g32d2`.
fn branch(part: &str) -> Option<usize> {
    let (_groups, dilation) = part.strip_prefix("3x3g")?.split_once('d').unwrap_or((part, "1"));
    dilation.parse::<usize>().ok()?.checked_sub(1)
}

/// Our name of the batch norm behind `conv`.
fn norm_of(conv: &str) -> String {
    match conv {
        "conv1" => "bn1".into(),
        _ => match conv.rsplit_once('.') {
            Some((block, "0")) => format!("{block}.1"),
            Some((block, "conv")) => format!("{block}.bn"),
            Some((unit, "fc_reduce")) => format!("{unit}.bn"),
            _ => format!("{conv}.bn"),
        },
    }
}

/// `entry` with so many dimensions, where ones in its shape allow it: before it had shapes of any length, Caffe wrote
/// `[1, 1, 1, n]` for vectors and `[1, 1, out, in]` for matrices.
fn with_dimensions(mut entry: Entry, count: usize) -> Entry {
    let shape = &mut entry.shape;
    while shape.len() > count && shape[0] == 1 {
        shape.remove(0);
    }
    while shape.len() > count && shape.last() == Some(&1) {
        shape.pop();
    }
    if count == 4 && shape.len() == 4 && shape[..2] == [1, 1] {
        shape.rotate_left(2);
    }
    while shape.len() < count {
        shape.push(1);
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::Dtype;

    #[test]
    fn names_follow_the_prototxt() {
        let both = |name: &str| {
            let conv = convolution(name).unwrap();
            (conv.clone(), norm_of(&conv))
        };
        let expect = |conv: &str, norm: &str| (conv.to_string(), norm.to_string());
        assert_eq!(both("conv1/7x7_s2"), expect("conv1", "bn1"));
        assert_eq!(both("conv2_1/1x1_reduce"), expect("layer1.0.conv1.conv", "layer1.0.conv1.bn"));
        assert_eq!(both("conv2_1/1x1_proj"), expect("layer1.0.downsample.0", "layer1.0.downsample.1"));
        assert_eq!(both("conv4_23/B_fc1"), expect("layer3.22.conv2.attn.fc_reduce", "layer3.22.conv2.attn.bn"));
        assert_eq!(convolution("conv3_2/B_fc2").unwrap(), "layer2.1.conv2.attn.fc_select");
        assert_eq!(both("conv3_2/3x3g32"), expect("layer2.1.conv2.paths.0.conv", "layer2.1.conv2.paths.0.bn"));
        assert_eq!(both("conv3_2/3x3g32d2"), expect("layer2.1.conv2.paths.1.conv", "layer2.1.conv2.paths.1.bn"));
        assert_eq!(convolution("classifier").unwrap(), "fc");
        for other in ["conv0_1/1x1_reduce", "conv2_0/1x1_reduce", "conv2_1/scale", "pool", "conv2_1/3x3g32d0"] {
            assert_eq!(convolution(other), None, "{other}");
        }
    }

    #[test]
    fn old_shapes_become_ours() {
        let shape = |shape: &[usize], count| {
            with_dimensions(Entry::contiguous(Dtype::F32, shape.to_vec(), 0).unwrap(), count).shape
        };
        assert_eq!(shape(&[1, 1, 1, 64], 1), [64]);
        assert_eq!(shape(&[1, 64, 1, 1], 1), [64]);
        assert_eq!(shape(&[1, 1, 1000, 2048], 2), [1000, 2048]);
        assert_eq!(shape(&[32, 128], 4), [32, 128, 1, 1]);
        assert_eq!(shape(&[1, 1, 32, 128], 4), [32, 128, 1, 1]);
        assert_eq!(shape(&[128, 4, 3, 3], 4), [128, 4, 3, 3]);
        assert_eq!(shape(&[2, 3], 1), [2, 3]);
    }
}
