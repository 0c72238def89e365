//! What every family is made of: conv–BN–ReLU, the SK unit, squeeze-and-excitation.

use crate::graph::{Branch, GraphBuilder, SkUnit, TensorId};
use crate::{Error, Result};

/// How wide an attention's hidden layer is.
#[derive(Clone, Debug, PartialEq)]
pub enum AttentionWidth {
    /// `max(C / r, L)`, the paper's equation 4.
    Reduction {
        /// Reduction ratio r.
        r: usize,
        /// Lower bound L.
        l: usize,
    },
    /// C / r rounded to a multiple of `divisor`, at least `divisor` (timm's `make_divisible`).
    Divisible {
        /// Reduction ratio r.
        r: usize,
        /// The width is a multiple of this.
        divisor: usize,
        /// Whether rounding may take away more than a tenth (timm's `round_limit`: 0 if so, else 0.9).
        may_shrink: bool,
    },
    /// One width for each stage.
    PerStage(Vec<usize>),
}

impl AttentionWidth {
    /// d for `channels` in `stage`, the first of which is 2.
    ///
    /// # Errors
    /// `bad-option` if r or the divisor is 0, or a stage has no width.
    pub fn of(&self, channels: usize, stage: usize) -> Result<usize> {
        match *self {
            Self::Reduction { r: 0, .. } | Self::Divisible { r: 0, .. } | Self::Divisible { divisor: 0, .. } => {
                Err(Error::bad_option("attention width: r and the divisor must be at least 1"))
            }
            Self::Reduction { r, l } => Ok((channels / r).max(l)),
            Self::Divisible { r, divisor, may_shrink } => {
                // floor(C/r + divisor/2) in whole numbers.
                let near = (2 * channels + r * divisor) / (2 * r);
                let width = (near / divisor * divisor).max(divisor);
                let shrank = 10 * width * r < 9 * channels;
                Ok(if shrank && !may_shrink { width + divisor } else { width })
            }
            Self::PerStage(ref widths) => {
                let width = stage.checked_sub(2).and_then(|i| widths.get(i)).copied();
                width.ok_or_else(|| Error::bad_option(format!("attention width: none is given for stage {stage}")))
            }
        }
    }
}

/// Groups of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Groups {
    /// As many for every width.
    Count(usize),
    /// As many as channels.
    Depthwise,
}

impl Groups {
    /// The number for `channels`.
    pub fn of(self, channels: usize) -> usize {
        match self {
            Self::Count(groups) => groups,
            Self::Depthwise => channels,
        }
    }
}

/// One branch of an SK convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SkBranch {
    /// Kernel width, odd.
    pub kernel: usize,
    /// Dilation.
    pub dilation: usize,
    /// Groups.
    pub groups: Groups,
}

impl SkBranch {
    /// A branch that acts as `size`×`size` by a dilated 3×3 kernel: the paper's K3, K5, K7.
    pub fn dilated(size: usize, groups: Groups) -> Self {
        Self { kernel: 3, dilation: (size - 1) / 2, groups }
    }
}

/// The SK convolution of a family: SK[M, G, r] of the paper.
#[derive(Clone, Debug, PartialEq)]
pub struct SkConv {
    /// The M branches.
    pub branches: Vec<SkBranch>,
    /// Whether branch m reads only the m-th of M equal parts of the input channels (timm's `split_input`).
    pub split_input: bool,
    /// Width d of the attention's hidden layer; without, the output is the plain sum U.
    pub attention: Option<AttentionWidth>,
}

/// Where a unit stands: the paper's name and the module path.
#[derive(Clone, Debug)]
pub struct UnitPlace {
    /// Stage number, the first is 2.
    pub stage: usize,
    /// Unit in its stage, from 1.
    pub index: usize,
    /// Module path.
    pub path: String,
}

/// A plain convolution kernel.
pub fn kernel(kernel: usize) -> Branch {
    Branch { kernel, dilation: 1, groups: 1 }
}

/// `conv` → `bn` under the given names; padding keeps the size at stride 1.
pub fn conv_bn(
    b: &mut GraphBuilder,
    conv: &str,
    bn: &str,
    x: TensorId,
    out: usize,
    k: Branch,
    stride: usize,
) -> Result<TensorId> {
    let y = b.conv(conv, x, out, k, stride, k.size().saturating_sub(1) / 2, false)?;
    Ok(b.batch_norm(bn, y))
}

/// An SK convolution of `x` to `channels` under `place.path`, with timm's names (`paths.{m}.conv`, `paths.{m}.bn`,
/// `attn.fc_reduce`, …): a unit of the graph, or the plain sum of the branches where `sk` has no attention.
pub fn sk_unit(
    b: &mut GraphBuilder,
    place: &UnitPlace,
    x: TensorId,
    channels: usize,
    stride: usize,
    sk: &SkConv,
) -> Result<TensorId> {
    let path = &place.path;
    let refuse = |why: String| Err(Error::bad_option(format!("SK unit {path}: {why}")));
    let m = sk.branches.len();
    if m == 0 {
        return refuse("needs at least one branch".into());
    }
    let in_channels = b.shape(x)[0];
    if sk.split_input && !in_channels.is_multiple_of(m) {
        return refuse(format!("{in_channels} input channels do not divide into {m} branches"));
    }
    let (mut branches, mut inputs, mut outputs) = (Vec::new(), Vec::new(), Vec::new());
    for (i, &SkBranch { kernel, dilation, groups }) in sk.branches.iter().enumerate() {
        if kernel % 2 == 0 {
            return refuse(format!("kernel {kernel} is even; use an odd size"));
        }
        let input = if sk.split_input && m > 1 {
            b.slice(format!("{path}.split.{i}"), x, i * (in_channels / m), in_channels / m)?
        } else {
            x
        };
        let branch = Branch { kernel, dilation, groups: groups.of(channels) };
        let bn = format!("{path}.paths.{i}.bn");
        let y = conv_bn(b, &format!("{path}.paths.{i}.conv"), &bn, input, channels, branch, stride)?;
        outputs.push(b.relu(format!("{path}.paths.{i}.act"), y));
        inputs.push(input);
        branches.push(branch);
    }
    let Some(width) = &sk.attention else { return b.add(path.clone(), &outputs) };
    let sum = b.add(format!("{path}.sum"), &outputs)?;
    let pooled = b.global_average_pool(format!("{path}.attn.pool"), sum);
    let hidden = width.of(channels, place.stage)?;
    let z = b.linear(&format!("{path}.attn.fc_reduce"), pooled, hidden, false, true)?;
    let z = b.batch_norm(&format!("{path}.attn.bn"), z);
    let reduced = b.relu(format!("{path}.attn.act"), z);
    let logits = b.linear(&format!("{path}.attn.fc_select"), reduced, m * channels, false, true)?;
    let softmax = b.branch_softmax(format!("{path}.attn.softmax"), logits, m)?;
    let override_input = b.input(format!("{path}.attn.override"), [2 * m * channels, 1, 1]);
    let attention = b.override_attention(format!("{path}.attn"), softmax, override_input, m)?;
    let output = b.select(path.clone(), attention, &outputs)?;
    b.unit(SkUnit {
        name: format!("SK_{}_{}", place.stage, place.index),
        path: path.clone(),
        channels,
        branches,
        branch_inputs: inputs,
        branch_outputs: outputs,
        sum,
        pooled,
        reduced,
        logits,
        softmax,
        override_input,
        attention,
        output,
    });
    Ok(output)
}

/// Squeeze-and-excitation of `x` under `place.path`, with the names of timm's `SEModule`: `fc1`, ReLU, `fc2`, sigmoid.
pub fn squeeze_excite(
    b: &mut GraphBuilder,
    place: &UnitPlace,
    x: TensorId,
    width: &AttentionWidth,
) -> Result<TensorId> {
    let path = &place.path;
    let channels = b.shape(x)[0];
    let pooled = b.global_average_pool(format!("{path}.pool"), x);
    let z = b.linear(&format!("{path}.fc1"), pooled, width.of(channels, place.stage)?, true, true)?;
    let z = b.relu(format!("{path}.act"), z);
    let logits = b.linear(&format!("{path}.fc2"), z, channels, true, true)?;
    let gate = b.sigmoid(format!("{path}.gate"), logits);
    b.select(path.clone(), gate, &[x])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divisible_widths_equal_make_divisible() {
        let width = |r, divisor, may_shrink| AttentionWidth::Divisible { r, divisor, may_shrink };
        let all = |w: &AttentionWidth, channels: &[usize]| -> Vec<usize> {
            channels.iter().map(|&c| w.of(c, 2).unwrap()).collect()
        };
        // timm.layers.make_divisible(C / r, divisor) and the same with round_limit=0.
        assert_eq!(all(&width(8, 16, false), &[64, 128, 256, 512, 180]), [16, 16, 32, 64, 32]);
        assert_eq!(all(&width(16, 8, false), &[64, 128, 176, 1024, 24]), [8, 8, 16, 64, 8]);
        assert_eq!(all(&width(16, 8, true), &[24, 58, 116, 176, 232]), [8, 8, 8, 8, 16]);
        assert!(width(0, 8, true).of(64, 2).is_err() && width(8, 0, true).of(64, 2).is_err());
    }

    #[test]
    fn widths_per_stage_must_cover_every_stage() {
        let width = AttentionWidth::PerStage(vec![32, 16]);
        assert_eq!((width.of(1024, 2).unwrap(), width.of(8, 3).unwrap()), (32, 16));
        assert!(width.of(8, 4).unwrap_err().message.contains("stage 4"));
    }
}
