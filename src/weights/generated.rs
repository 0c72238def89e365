//! Counter-based tensors: value `i` of a tensor depends on its name and `i` alone, so that tests, benchmarks and the
//! PyTorch goldens share weights and inputs that nobody has to store. The Python twin is `reference/generator.py`;
//! both yield the same bits.
//!
//! *Bits.* The key of a tensor is FNV-1a (64 bits) of its name's UTF-8 bytes; counter `i` yields output `i` of
//! splitmix64 seeded with that key. The upper 24 bits `k` become `u = k / 2²³ − 1`, in `[-1, 1)`.
//!
//! *Distribution.* `value = centre + half_width · u`, computed in f64 and rounded once to f32. The first row that
//! matches decides; `fan_in` is the product of all dimensions but the first.
//!
//! | name ends with | shape | centre | half-width |
//! |---|---|---|---|
//! | `running_mean` | any | 0 | 0.1 |
//! | `running_var` | any | 1 | 0.5 |
//! | `.attn.bn.bias` | any | 0 | 2 |
//! | `bias` | any | 0 | 0.5 |
//! | `.conv3.bn.weight`, `.conv2.bn.weight`, `.bn3.weight`, `.attn.bn.weight` | `[C]` | 0.3 | 0.1 |
//! | `weight` | `[C]` | 1 | 0.2 |
//! | `fc_select.weight` | two or more dimensions | 0 | √(1.5 / fan_in) |
//! | `weight` | two or more dimensions | 0 | √(6 / fan_in) |
//! | anything else, such as `input` | any | 0 | 2 |

use super::Parameters;
use crate::graph::Graph;

/// The weights of `graph`.
pub fn parameters(graph: &Graph) -> Parameters {
    let mut parameters = Parameters::default();
    for p in graph.parameters() {
        parameters.insert(p.name.clone(), fill(&p.name, &p.shape));
    }
    parameters
}

/// The float32 tensor `name` of `shape`, in row-major order.
pub fn fill(name: &str, shape: &[usize]) -> Vec<f32> {
    let (centre, half_width) = distribution(name, shape);
    let key = key(name);
    let length: usize = shape.iter().product();
    (0..length as u64).map(|i| (centre + half_width * uniform(bits(key, i))) as f32).collect()
}

/// `count` indices below `length` (at least 1), drawn with the bits of `name`, with repetition: index `j` is
/// `bits(j) mod length`. The goldens sample activations at them.
pub fn sample_indices(name: &str, length: usize, count: usize) -> Vec<usize> {
    let key = key(name);
    (0..count as u64).map(|j| (bits(key, j) % length as u64) as usize).collect()
}

/// FNV-1a, 64 bits.
fn key(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

/// Output `counter` of splitmix64 seeded with `key`.
fn bits(key: u64, counter: u64) -> u64 {
    let mut z = key.wrapping_add(counter.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A multiple of 2⁻²³ in `[-1, 1)`, exact in f32 and f64.
fn uniform(bits: u64) -> f64 {
    (bits >> 40) as f64 / f64::from(1 << 23) - 1.0
}

/// Centre and half-width: the table of the module's documentation.
fn distribution(name: &str, shape: &[usize]) -> (f64, f64) {
    const DAMPED: [&str; 4] = [".conv3.bn.weight", ".conv2.bn.weight", ".bn3.weight", ".attn.bn.weight"];
    let gain_over_fan_in = |gain: f64| (gain / shape[1..].iter().product::<usize>() as f64).sqrt();
    if name.ends_with("running_mean") {
        (0.0, 0.1)
    } else if name.ends_with("running_var") {
        (1.0, 0.5)
    } else if name.ends_with("bias") {
        (0.0, if name.ends_with(".attn.bn.bias") { 2.0 } else { 0.5 })
    } else if !name.ends_with("weight") {
        (0.0, 2.0)
    } else if shape.len() < 2 {
        if DAMPED.iter().any(|suffix| name.ends_with(suffix)) { (0.3, 0.1) } else { (1.0, 0.2) }
    } else {
        (0.0, gain_over_fan_in(if name.ends_with("fc_select.weight") { 1.5 } else { 6.0 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_match_the_published_algorithms() {
        assert_eq!(key(""), 0xCBF2_9CE4_8422_2325);
        assert_eq!(key("foobar"), 0x8594_4171_F739_67E8);
        assert_eq!(bits(1_234_567, 0), 6_457_827_717_110_365_317);
        assert_eq!(bits(1_234_567, 1), 3_203_168_211_198_807_973);
    }

    /// The same literals as `PINNED` in `reference/generator.py`: the first two values and the last.
    #[test]
    fn values_equal_the_python_twin() {
        let pinned: &[(&str, &[usize], [f32; 3])] = &[
            ("input", &[1, 3, 5, 7], [-1.6087267, 0.6094415, 0.36671376]),
            ("conv1.weight", &[64, 3, 7, 7], [0.018213026, 0.09906029, -0.121325]),
            ("layer1.0.conv3.bn.weight", &[256], [0.3494896, 0.27498698, 0.38492072]),
            ("bn1.weight", &[64], [0.9440816, 1.1297636, 0.993805]),
            ("bn1.running_mean", &[64], [0.046889983, 0.020123731, -0.07152025]),
            ("bn1.running_var", &[64], [1.1423075, 1.2867534, 1.2562807]),
            ("fc.bias", &[1000], [-0.022348702, -0.019268215, -0.16809487]),
            ("fc.weight", &[200, 1024], [-0.0023506247, 0.056991916, -0.018078497]),
            ("layer4.2.conv2.attn.bn.bias", &[64], [-0.7669029, -0.20607495, 1.7902074]),
            ("layer4.2.conv2.attn.fc_select.weight", &[2048, 64, 1, 1], [0.050879404, -0.045927323, 0.05424582]),
        ];
        for &(name, shape, expected) in pinned {
            let values = fill(name, shape);
            assert_eq!([values[0], values[1], values[values.len() - 1]], expected, "{name}");
        }
        assert_eq!(sample_indices("maxpool", 200_704, 4), [143064, 190477, 166529, 72186]);
    }

    #[test]
    fn values_stay_in_their_range_and_fill_it() {
        for (name, shape, low, high) in [
            ("input", vec![1, 3, 64, 64], -2.0, 2.0),
            ("bn1.running_var", vec![4096], 0.5, 1.5),
            ("layer1.0.conv1.bn.weight", vec![4096], 0.8, 1.2),
            ("layer1.0.conv3.conv.weight", vec![64, 24, 1, 1], -0.5, 0.5),
        ] {
            let values = fill(name, &shape);
            assert_eq!(values.len(), shape.iter().product::<usize>());
            let (min, max) = values.iter().fold((f32::MAX, f32::MIN), |(a, b), &v| (a.min(v), b.max(v)));
            let margin = 0.01 * (high - low);
            assert!(min >= low && min < low + margin, "{name}: smallest value {min}");
            assert!(max <= high && max > high - margin, "{name}: largest value {max}");
        }
    }
}
