//! What a weights file says of itself: preprocessing and names of classes.

use crate::image::{Preprocessing, check_size};
use crate::network::Network;
use crate::weights::Checkpoint;
use crate::{Error, Result};

/// The preprocessing of `network`, with what the file says otherwise.
///
/// # Errors
/// `bad-weights` with the key that is not understood.
pub(super) fn preprocessing_of(network: &Network, checkpoint: &Checkpoint) -> Result<Preprocessing> {
    let mut preprocessing = network.preprocessing.clone();
    let metadata = |key: &str| checkpoint.metadata.get(key);
    let bad =
        |key: &str, text: &str| Error::bad_weights(format!("metadata {key} is {text:?}, which is not understood"));
    let triple = |key: &str| -> Result<Option<[f32; 3]>> {
        let Some(text) = metadata(key) else { return Ok(None) };
        let values: Option<Vec<f32>> = text.split(',').map(|v| v.trim().parse().ok()).collect();
        let values: [f32; 3] = values.and_then(|v| v.try_into().ok()).ok_or_else(|| bad(key, text))?;
        let fits = values.iter().all(|v| v.is_finite() && (key == "mean" || *v > 0.0));
        if fits { Ok(Some(values)) } else { Err(bad(key, text)) }
    };
    preprocessing.mean = triple("mean")?.unwrap_or(preprocessing.mean);
    preprocessing.std = triple("std")?.unwrap_or(preprocessing.std);
    if let Some(text) = metadata("input_size") {
        let side: usize = text.trim().parse().map_err(|_| bad("input_size", text))?;
        check_size([side, side], network.sides()).map_err(|_| bad("input_size", text))?;
        preprocessing.input_size = [side, side];
    }
    if let Some(text) = metadata("crop_pct") {
        let value: f64 = text.trim().parse().map_err(|_| bad("crop_pct", text))?;
        preprocessing.crop_pct = if value > 0.0 && value <= 1.0 { value } else { return Err(bad("crop_pct", text)) };
    }
    if let Some(text) = metadata("interpolation") {
        preprocessing.interpolation = text.parse().map_err(|_| bad("interpolation", text))?;
    }
    Ok(preprocessing)
}

/// Class names from metadata `labels`, a JSON array of strings; none if the file has none.
pub(super) fn labels_of(checkpoint: &Checkpoint, classes: usize) -> Result<Vec<String>> {
    let Some(text) = checkpoint.metadata.get("labels") else { return Ok(Vec::new()) };
    let labels: Vec<String> = serde_json::from_str(text)
        .map_err(|e| Error::bad_weights(format!("metadata labels is not a JSON array of strings: {e}")))?;
    if labels.len() != classes {
        return Err(Error::bad_weights(format!("metadata labels names {} classes of {classes}", labels.len())));
    }
    Ok(labels)
}
