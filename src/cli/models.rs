//! `sklens models`.

use super::network::described;
use super::{print, print_json};
use crate::Result;
use crate::network::{Network, ablations, presets};
use crate::session::ModelInfo;
use clap::Args;
use std::path::PathBuf;

/// Heads of the columns; [`cells`] fills them.
const COLUMNS: [&str; 12] = [
    "network",
    "input",
    "parameters",
    "multiply-adds",
    "with Select",
    "SK units",
    "paper: params",
    "paper: GFLOPs",
    "paper: error",
    "top-1",
    "top-5",
    "of the weights",
];

/// Head of `docs/networks.md`.
const DOCUMENT: &str = "\
# Networks

Written by `sklens models --markdown`; a test compares. Parameters and multiply-adds (convolutions and fully connected
layers) are computed from the graph for one picture of the given size and the data set's number of classes. The paper
counts Select as well: compare its GFLOPs with that column, in which the gates of squeeze-and-excitation count as Select
with one branch. Top-1 errors of the paper and accuracies of published weights are in percent.
";

const ABLATIONS: &str = "\
## Rows of the paper's tables 6 and 7

SKNet-50 with other branches. K3, K5 and K7 are 3×3 kernels with dilation 1, 2 and 3 and 32 groups; `5x5g64` and `7x7g128`
are true kernels with 64 and 128 groups; `_sum` adds the branches up without attention. K3 + K5 with attention is `sknet50`.
";

const NOTES: &str = "\
## Where the paper leaves a choice

- **ShuffleNetV2** (table 4): the authors' baseline has other counts than the published ShuffleNetV2, and the paper says
  nothing of r, L, strides and activations, so its counts cannot be met. Ours is torchvision's layout. With SK, an SK unit
  (3×3 and 3×3 with dilation 2, depthwise, r = 16, L = 32) stands in place of every main branch's depthwise convolution;
  with SE, squeeze-and-excitation (C / 16, a multiple of 8) ends every main branch.
- **SKNet-29** (table 5) is a provisional reading: kernels 1×1 and 3×3, G = 16, r = 32, L = 32 come nearest to the 27.7
  million parameters that the paper reports. Its error is on CIFAR-10.
- **SKNet-101**: `sknet101` follows the paper's L = 32, `sknet101_caffe` the authors' prototxt, whose attention is 32, 16, 32
  and 64 wide. The `_caffe` networks pool in ceil mode without padding and take BGR bytes minus the mean 104, 117, 123.
- **SENet-50** of the paper is compared with timm's `seresnext50_32x4d`, **ResNeXt-50** with `resnext50_32x4d`.

## Your own

A TOML file (or JSON of the same structure) describes a network; `sklens models --describe FILE` sets its counts beside the
paper's, and `sklens analyze --model FILE --weights FILE` runs it. Everything may be left out; these are the defaults.

```toml
[sknet]              # bottlenecks under timm's names
name = \"sknet\"
depths = [3, 4, 6, 3]
width = 128          # of the first stage's branches; doubles per stage
out_width = 256      # of the first stage's output; doubles per stage
branches = [{ kernel = 3 }, { kernel = 3, dilation = 2 }]  # M of them; each may have its own groups
groups = 32          # G
r = 16
l = 32               # L
attention = true     # or the plain sum of the branches
split_input = false  # each branch reads its part of the channels
ceil_mode = false    # the authors' stem pool
small_input = false  # the stem of CIFAR networks: 3×3, no stride, no pool
input_size = [224, 224]
classes = 1000
```

```toml
[sk_shufflenet_v2]   # torchvision's names; branches are depthwise unless they give groups
name = \"sk_shufflenet_v2\"
depths = [4, 8, 4]
widths = [116, 232, 464]
head = 1024
branches = [{ kernel = 3 }, { kernel = 3, dilation = 2 }]
r = 16
l = 32
attention = true
input_size = [224, 224]
classes = 1000
```
";

/// Lists the presets.
#[derive(Debug, Args)]
pub struct Models {
    /// One JSON array instead of a table.
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// All networks as a Markdown document.
    #[arg(long, conflicts_with_all = ["ablations", "describe"])]
    markdown: bool,
    /// The rows of the paper's tables 6 and 7 as well.
    #[arg(long)]
    ablations: bool,
    /// The network described in a .toml or .json file, beside the networks of the paper.
    #[arg(long, value_name = "FILE", conflicts_with = "ablations")]
    describe: Option<PathBuf>,
}

impl Models {
    /// Prints the list; the number of failures is always 0.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub fn run(&self) -> Result<usize> {
        let mut models = infos(presets())?;
        let ablations = infos(ablations())?;
        if self.markdown {
            let tables = [markdown(&models), markdown(&ablations)];
            print(format_args!("{DOCUMENT}\n{}\n{ABLATIONS}\n{}\n{}", tables[0], tables[1], NOTES.trim_end()))?;
            return Ok(0);
        }
        if self.ablations || self.describe.is_some() {
            models.extend(ablations);
        }
        if let Some(path) = &self.describe {
            models.retain(|m| m.paper.is_some());
            models.insert(0, ModelInfo::of(described(path)?)?);
        }
        if self.json {
            print_json(&models)?;
        } else {
            print(text(&models).trim_end())?;
        }
        Ok(0)
    }
}

fn infos(networks: Vec<Network>) -> Result<Vec<ModelInfo>> {
    networks.into_iter().map(ModelInfo::of).collect()
}

/// One row of the table, in the order of [`COLUMNS`]; empty where nothing is published.
fn cells(model: &ModelInfo) -> [String; COLUMNS.len()] {
    let number = |value: Option<f64>, digits: usize| value.map_or(String::new(), |v| format!("{v:.digits$}"));
    let names: Vec<_> = std::iter::once(&model.name).chain(&model.aliases).cloned().collect();
    let (paper, accuracy) = (model.paper.unwrap_or_default(), model.accuracy);
    [
        names.join(", "),
        format!("{}×{}", model.input_size[0], model.input_size[1]),
        grouped(model.params),
        grouped(model.macs),
        grouped(model.macs + model.select_macs),
        model.units.len().to_string(),
        paper.params.map_or(String::new(), |p| format!("{p} M")),
        // Small networks are reported to five digits.
        paper.gflops.map_or(String::new(), |g| if g < 1.0 { g.to_string() } else { format!("{g:.2}") }),
        number(paper.top1_error, 2),
        number(accuracy.map(|a| a.top1), 3),
        number(accuracy.map(|a| a.top5), 3),
        accuracy.map_or(String::new(), |a| a.weights.into()),
    ]
}

/// Digits in groups of three.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A table with aligned columns: names to the left, numbers to the right.
fn text(models: &[ModelInfo]) -> String {
    let rows: Vec<_> = std::iter::once(COLUMNS.map(String::from)).chain(models.iter().map(cells)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..COLUMNS.len()).map(width).collect();
    let mut out = String::new();
    for row in &rows {
        let cell = |(i, text): (usize, &String)| {
            let width = widths[i];
            if is_name(i) { format!("{text:<width$}") } else { format!("{text:>width$}") }
        };
        let line: Vec<_> = row.iter().enumerate().map(cell).collect();
        out += line.join("  ").trim_end();
        out.push('\n');
    }
    out
}

fn is_name(column: usize) -> bool {
    column == 0 || column == COLUMNS.len() - 1
}

fn markdown(models: &[ModelInfo]) -> String {
    let row = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let align: Vec<String> = (0..COLUMNS.len()).map(|i| if is_name(i) { "---" } else { "---:" }.into()).collect();
    let heads = [row(&COLUMNS.map(String::from)), row(&align)].concat();
    heads + &models.iter().map(|m| row(&cells(m))).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped() {
        assert_eq!([0, 12, 123, 1234, 27_479_784].map(grouped), ["0", "12", "123", "1,234", "27,479,784"]);
    }

    #[test]
    fn empty_cells_keep_their_column() {
        let models = infos(presets()).unwrap();
        let table = text(&models);
        let at = table.lines().next().unwrap().find("parameters").unwrap() + "parameters".len();
        let params = |line: &str| line.chars().take(at).collect::<String>();
        assert!(params(table.lines().nth(1).unwrap()).ends_with(" 27,479,784"), "{table}");
        assert!(params(table.lines().nth(3).unwrap()).ends_with(" 16,746,408"), "{table}");
    }
}
