//! What others report of a network.

use serde::Serialize;

/// Figures of the paper's tables 2 to 7; it counts multiply-adds as FLOPs and Select among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Paper {
    /// Top-1 error in percent: ImageNet at 224 px, or CIFAR-10.
    pub top1_error: Option<f64>,
    /// Parameters in millions.
    pub params: Option<f64>,
    /// Multiply-adds in thousand millions.
    pub gflops: Option<f64>,
}

/// ImageNet accuracy of published weights, as their publisher states it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Accuracy {
    /// The publisher's name for the weights.
    pub weights: &'static str,
    /// Top-1 in percent.
    pub top1: f64,
    /// Top-5 in percent.
    pub top5: f64,
}
