//! Taking the wheel: values that replace the attention of SK units.

use crate::graph::{Graph, SkUnit, TensorId};
use crate::order::sort_short;
use crate::plan::{LANES, Plan};
use crate::{Error, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::str::FromStr;

/// Stands for every unit in [`Overrides`].
pub const ALL_UNITS: &str = "*";

/// What replaces the attention of a unit with M branches of C channels.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Override {
    /// All attention to the branch with the smallest effective kernel.
    Smallest,
    /// All attention to the branch with the largest effective kernel.
    Largest,
    /// `1 / M` for every branch.
    Uniform,
    /// The attention that the unit has in a run without overrides, smallest and largest branch exchanged.
    Swap,
    /// All attention to this branch, counted from 0.
    Branch(usize),
    /// This share, 0 to 1, for the branch with the largest effective kernel and the rest for the other; M = 2 only.
    Share(f32),
    /// Branch-major `[M·C]`; NaN leaves a value alone.
    Values(Vec<f32>),
    /// 0 for these channels in every branch: the unit's output is 0 there.
    Off(Vec<usize>),
}

impl Override {
    /// Attention `[M·C]` of `unit`, NaN where it is left alone; `plain` is that of a run without overrides.
    fn values(&self, unit: &SkUnit, plain: &[f32]) -> Result<Vec<f32>> {
        let (branches, channels) = (unit.branches.len(), unit.channels);
        let refuse = |why: String| Err(Error::bad_option(format!("override of {}: {why}", unit.name)));
        let per_branch = |share: &dyn Fn(usize) -> f32| (0..branches * channels).map(|i| share(i / channels)).collect();
        let only = |branch: usize| per_branch(&|m| f32::from(m == branch));
        Ok(match self {
            Self::Smallest => only(unit.smallest()),
            Self::Largest => only(unit.largest()),
            Self::Uniform => per_branch(&|_| 1.0 / branches as f32),
            Self::Swap => {
                let (smallest, largest) = (unit.smallest() * channels, unit.largest() * channels);
                let mut swapped = plain.to_vec();
                swapped[smallest..][..channels].copy_from_slice(&plain[largest..][..channels]);
                swapped[largest..][..channels].copy_from_slice(&plain[smallest..][..channels]);
                swapped
            }
            Self::Branch(branch) if *branch < branches => only(*branch),
            Self::Branch(branch) => {
                return refuse(format!("there is no branch {branch}; branches are 0 to {}", branches - 1));
            }
            Self::Share(_) if branches != 2 => return refuse(format!("a share needs two branches, not {branches}")),
            Self::Share(share) if (0.0..=1.0).contains(share) => {
                per_branch(&|m| if m == unit.largest() { *share } else { 1.0 - share })
            }
            Self::Share(share) => return refuse(format!("share {share} is not from 0 to 1")),
            Self::Values(values) if values.len() != branches * channels => {
                return refuse(format!("{} values; it needs {branches} · {channels}, branch by branch", values.len()));
            }
            Self::Values(values) if values.iter().any(|v| v.is_infinite()) => {
                return refuse("a value is infinite; use finite numbers, or NaN to leave a channel alone".into());
            }
            Self::Values(values) => values.clone(),
            Self::Off(off) => {
                if let Some(channel) = off.iter().find(|&&channel| channel >= channels) {
                    return refuse(format!("there is no channel {channel}; channels are 0 to {}", channels - 1));
                }
                let mut values = vec![f32::NAN; branches * channels];
                off.iter()
                    .for_each(|channel| values.iter_mut().skip(*channel).step_by(channels).for_each(|v| *v = 0.0));
                values
            }
        })
    }
}

/// `smallest`, `largest`, `uniform`, `swap`, `branch:M`, a share from 0 to 1, `values:A,A,…` or `off:CHANNEL,…`.
impl FromStr for Override {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        fn list<T: FromStr>(text: &str) -> Option<Vec<T>> {
            text.split(',').map(|item| item.trim().parse().ok()).collect()
        }
        let parsed = match (text, text.split_once(':')) {
            ("smallest", _) => Some(Self::Smallest),
            ("largest", _) => Some(Self::Largest),
            ("uniform", _) => Some(Self::Uniform),
            ("swap", _) => Some(Self::Swap),
            (_, Some(("branch", branch))) => branch.parse().ok().map(Self::Branch),
            (_, Some(("values", values))) => list(values).map(Self::Values),
            (_, Some(("off", channels))) => list(channels).map(Self::Off),
            _ => text.parse().ok().map(Self::Share),
        };
        parsed.ok_or_else(|| {
            Error::bad_option(format!(
                "override {text:?} is none of smallest, largest, uniform, swap, branch:M, a share from 0 to 1, \
                 values:A,A,… and off:CHANNEL,…"
            ))
        })
    }
}

/// Overrides by the unit's name, or [`ALL_UNITS`], which counts first; of several for one value the last counts.
pub type Overrides = BTreeMap<String, Vec<Override>>;

/// What a run does besides the plain forward pass.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RunOptions {
    /// What replaces attention.
    #[serde(rename = "override")]
    pub overrides: Overrides,
    /// Names of the graph's tensors to return.
    pub tensors: Vec<String>,
}

impl RunOptions {
    /// Refuses what does not fit the network of `graph`.
    ///
    /// # Errors
    /// `bad-option` that names the unit or tensor.
    pub fn check(&self, graph: &Graph) -> Result<()> {
        if let Some(name) = self.tensors.iter().find(|name| graph.find(name).is_none()) {
            return Err(Error::bad_option(format!("the network has no tensor {name:?}")));
        }
        let known = |name: &str| graph.units.iter().any(|u| u.name == name || name == ALL_UNITS);
        if let Some(name) = self.overrides.keys().find(|name| !known(name)) {
            let names: Vec<_> = graph.units.iter().map(|u| u.name.as_str()).collect();
            let names = if names.is_empty() { "none".into() } else { format!("{}, or {ALL_UNITS}", names.join(", ")) };
            return Err(Error::bad_option(format!("the network has no SK unit {name:?}; it has {names}")));
        }
        for unit in &graph.units {
            let plain = vec![0.0; unit.branches.len() * unit.channels];
            self.of(unit).try_for_each(|o| o.values(unit, &plain).map(drop))?;
        }
        Ok(())
    }

    /// Whether the attention of a run without overrides is needed.
    pub(crate) fn needs_plain(&self) -> bool {
        self.overrides.values().flatten().any(|o| *o == Override::Swap)
    }

    /// The tensors that a plan must retain: those that it does not read back anyway, each once.
    pub(crate) fn retain(&self, graph: &Graph) -> Vec<String> {
        let is_read = |id: TensorId| {
            id == graph.output
                || graph.units.iter().any(|u| [u.pooled, u.reduced, u.logits, u.softmax, u.attention].contains(&id))
        };
        let mut names = self.tensors.clone();
        names.retain(|name| !graph.find(name).is_some_and(is_read));
        sort_short(&mut names, |a, b| a < b);
        names.dedup();
        names
    }

    /// The plan's storage of overrides, values and mask of every unit; `plain` holds each unit's attention
    /// `[N, M·C]` of a run without overrides, or is empty if [`RunOptions::needs_plain`] is false.
    pub(crate) fn storage(&self, graph: &Graph, plan: &Plan, plain: &[Vec<f32>]) -> Result<Vec<f32>> {
        let mut storage = empty_storage(plan);
        for (at, unit) in graph.units.iter().enumerate() {
            let size = unit.branches.len() * unit.channels;
            let zeros = vec![0.0; size];
            let mut all = Vec::new();
            for n in 0..plan.batch {
                let plain = plain.get(at).map_or(zeros.as_slice(), |p| &p[n * size..][..size]);
                let (mut values, mut mask) = (zeros.clone(), zeros.clone());
                for o in self.of(unit) {
                    for (i, value) in o.values(unit, plain)?.into_iter().enumerate().filter(|(_, v)| !v.is_nan()) {
                        (values[i], mask[i]) = (value, 1.0);
                    }
                }
                all.extend([values, mask].concat());
            }
            plan.views.of(unit.override_input).write_nchw(plan.batch, &all, &mut storage);
        }
        Ok(storage)
    }

    fn of(&self, unit: &SkUnit) -> impl Iterator<Item = &Override> {
        [ALL_UNITS, &unit.name].into_iter().filter_map(|name| self.overrides.get(name)).flatten()
    }
}

/// The plan's storage of overrides where nothing is replaced; empty for networks without SK units.
pub(crate) fn empty_storage(plan: &Plan) -> Vec<f32> {
    let item = plan.overrides.first().map_or(0, |&id| plan.storages[plan.views.of(id).storage.0].item);
    vec![0.0; item * LANES * plan.batch]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::preset;

    fn refusal(network: &str, unit: &str, form: Override) -> String {
        let graph = preset(network).unwrap().graph([64, 64], 10).unwrap();
        let options = RunOptions { overrides: [(unit.into(), vec![form])].into(), tensors: Vec::new() };
        options.check(&graph).unwrap_err().message
    }

    #[test]
    fn refusals_name_the_unit_and_what_is_right() {
        let message = refusal("sknet50", "SK_2_9", Override::Swap);
        assert!(message.contains("SK_2_9") && message.contains("SK_5_3"), "{message}");
        assert!(refusal("resnext50_32x4d", ALL_UNITS, Override::Swap).contains("none"));
        for (form, part) in [
            (Override::Branch(2), "0 to 1"),
            (Override::Share(1.5), "1.5"),
            (Override::Values(vec![0.5; 3]), "2 · 128"),
            (Override::Values(vec![f32::INFINITY; 256]), "infinite"),
            (Override::Off(vec![128]), "0 to 127"),
        ] {
            let message = refusal("sknet50", "SK_2_1", form);
            assert!(message.contains("SK_2_1") && message.contains(part), "{message}");
        }
        assert!(refusal("sknet50_k3_k5_k7", "SK_2_1", Override::Share(0.5)).contains("not 3"));
        let graph = preset("sknet50").unwrap().graph([64, 64], 10).unwrap();
        let options = RunOptions { tensors: vec!["layer9".into()], ..RunOptions::default() };
        assert!(options.check(&graph).unwrap_err().message.contains("layer9"));
    }

    #[test]
    fn forms_are_read_from_text() {
        let parse = |text: &str| text.parse::<Override>().ok();
        assert_eq!(parse("largest"), Some(Override::Largest));
        assert_eq!(parse("branch:1"), Some(Override::Branch(1)));
        assert_eq!(parse("0.25"), Some(Override::Share(0.25)));
        assert_eq!(parse("off:3, 5"), Some(Override::Off(vec![3, 5])));
        assert!(matches!(parse("values:0.5,nan"), Some(Override::Values(v)) if v[0] == 0.5 && v[1].is_nan()));
        assert_eq!([parse("biggest"), parse("off:"), parse("branch:-1")], [None, None, None]);
    }

    #[test]
    fn later_overrides_win_and_nan_leaves_alone() {
        let graph = preset("sk_shufflenet_v2_x0_5").unwrap().graph([64, 64], 10).unwrap();
        let plan = Plan::new(&graph, &crate::plan::PlanOptions::batch(2)).unwrap();
        let channels = graph.units[1].channels;
        let mut values = vec![f32::NAN; 2 * channels];
        values[1] = 0.75;
        let forms = vec![Override::Values(values), Override::Off(vec![2])];
        let overrides = [(ALL_UNITS.into(), vec![Override::Largest]), (graph.units[1].name.clone(), forms)].into();
        let options = RunOptions { overrides, tensors: Vec::new() };
        let storage = options.storage(&graph, &plan, &[]).unwrap();
        let found = |unit: usize| plan.views.of(graph.units[unit].override_input).to_nchw(2, &storage);
        let item = [vec![0.0; channels], vec![1.0; channels], vec![1.0; 2 * channels]].concat();
        assert_eq!(found(0), item.repeat(2));
        let mut changed = item;
        changed[1] = 0.75;
        changed[channels + 2] = 0.0;
        assert_eq!(found(1), changed.repeat(2));
    }
}
