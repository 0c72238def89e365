//! What every family is made of: conv–BN–ReLU and the SK unit.

use crate::graph::{Branch, GraphBuilder, SkUnit, TensorId};
use crate::{Error, Result};

/// How wide the attention's hidden layer is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AttentionWidth {
    /// `max(C / r, L)`, the paper's equation 4.
    Reduction {
        /// Reduction ratio r.
        r: usize,
        /// Lower bound L.
        l: usize,
    },
}

impl AttentionWidth {
    /// d for `channels`.
    pub fn of(self, channels: usize) -> usize {
        match self {
            Self::Reduction { r, l } => (channels / r).max(l),
        }
    }
}

/// The SK convolution of a family: SK[M, G, r] of the paper, with the kernels of each branch.
#[derive(Clone, Debug, PartialEq)]
pub struct SkConv {
    /// `(kernel, dilation)` per branch.
    pub kernels: Vec<(usize, usize)>,
    /// Groups G; `None` is depthwise.
    pub groups: Option<usize>,
    /// Width d of the attention's hidden layer.
    pub width: AttentionWidth,
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

/// `conv` → `bn` → `act` under the given names; padding keeps the size at stride 1.
pub fn conv_bn(
    b: &mut GraphBuilder,
    conv: &str,
    bn: &str,
    x: TensorId,
    out: usize,
    k: Branch,
    stride: usize,
) -> Result<TensorId> {
    let y = b.conv(conv, x, out, k, stride, (k.size() - 1) / 2, false)?;
    Ok(b.batch_norm(bn, y))
}

/// An SK unit under `place.path`, with timm's names (`paths.{m}.conv`, `paths.{m}.bn`, `attn.fc_reduce`, …).
pub fn sk_unit(
    b: &mut GraphBuilder,
    place: &UnitPlace,
    x: TensorId,
    channels: usize,
    stride: usize,
    sk: &SkConv,
) -> Result<TensorId> {
    let path = &place.path;
    let m = sk.kernels.len();
    if m == 0 {
        return Err(Error::bad_option(format!("SK unit {path}: needs at least one branch")));
    }
    let mut branches = Vec::new();
    let mut outputs = Vec::new();
    for (i, &(kernel, dilation)) in sk.kernels.iter().enumerate() {
        if kernel % 2 == 0 {
            return Err(Error::bad_option(format!("SK unit {path}: kernel {kernel} is even; use an odd size")));
        }
        let branch = Branch { kernel, dilation, groups: sk.groups.unwrap_or(channels) };
        let bn = format!("{path}.paths.{i}.bn");
        let y = conv_bn(b, &format!("{path}.paths.{i}.conv"), &bn, x, channels, branch, stride)?;
        outputs.push(b.relu(format!("{path}.paths.{i}.act"), y));
        branches.push(branch);
    }
    let sum = b.add(format!("{path}.sum"), &outputs)?;
    let pooled = b.global_average_pool(format!("{path}.attn.pool"), sum);
    let z = b.linear(&format!("{path}.attn.fc_reduce"), pooled, sk.width.of(channels), false, true)?;
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
        branch_inputs: vec![x; m],
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
