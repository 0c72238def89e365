//! A weights file with its index: checks, and reading tensor by tensor.

use super::{Entry, Format, Index, Parameters, Source, names};
use crate::graph::Parameter;
use crate::{Error, Result};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Files up to this size are read in one go while loading; it saves hundreds of small reads.
const SMALL_FILE: u64 = 16 << 20;

/// Bytes of a larger file that are read at a time; a multiple of every type's size.
const PIECE: usize = 2 << 20;

/// Key of the metadata that says [`FOLDED`] where the file has biases in place of batch norms.
pub(super) const BATCH_NORM: &str = "batch_norm";
pub(super) const FOLDED: &str = "folded";

/// A weights file: one set of its tensors by name, and its metadata.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    source: Source,
    /// The file's format.
    pub format: Format,
    /// Which of the file's sets of weights this is; empty where the file is the set.
    pub set: String,
    entries: BTreeMap<String, Entry>,
    /// What the file says of itself.
    pub metadata: HashMap<String, String>,
}

impl Checkpoint {
    /// Finds the tensors of `source`.
    ///
    /// # Errors
    /// `bad-weights` if it is not a whole, consistent file of a format that this build reads.
    pub async fn open(source: Source) -> Result<Self> {
        let index = Index::of(&source).await?;
        Self::from_index(source, index)
    }

    /// The preferred weights of `source`, whose `index` another module may have read.
    ///
    /// # Errors
    /// `bad-weights` if there are none, or a tensor ends behind the file.
    pub fn from_index(source: Source, index: Index) -> Result<Self> {
        let Index { format, sets, metadata } = index;
        let file = source.name();
        let set = sets.into_iter().next();
        let set = set.ok_or_else(|| Error::bad_weights(format!("{file} holds no tensors by name")))?;
        let length = source.length()?;
        if let Some((name, _)) = set.tensors.iter().find(|(_, e)| e.start > e.end || e.end > length) {
            return Err(Error::bad_weights(format!("{file} is truncated: tensor {name} ends behind the file")));
        }
        let entries = names::without_wrappers(set.tensors);
        Ok(Self { source, format, set: set.name, entries, metadata })
    }

    /// Where its bytes are.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The tensors by name, those that no network reads included.
    pub fn tensors(&self) -> &BTreeMap<String, Entry> {
        &self.entries
    }

    /// The shape of a tensor.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.entries.get(name).map(|e| e.shape.as_slice())
    }

    /// Whether batch norms are folded into the layers before them.
    pub fn is_folded(&self) -> bool {
        self.metadata.get(BATCH_NORM).is_some_and(|value| value == FOLDED)
    }

    /// The classifier's number of classes.
    pub fn classes(&self) -> Option<usize> {
        self.shape("fc.weight").and_then(|shape| shape.first().copied()).filter(|&classes| classes > 0)
    }

    /// Everything in which names, shapes and types differ from what a network reads, a line each.
    pub fn mismatches(&self, parameters: &[Parameter]) -> Vec<String> {
        let mut faults = Vec::new();
        for p in parameters {
            match self.entries.get(&p.name) {
                None => faults.push(format!("missing: {}, shape {:?}", p.name, p.shape)),
                Some(e) if e.shape != p.shape => {
                    faults.push(format!("wrong shape: {} is {:?} and should be {:?}", p.name, e.shape, p.shape));
                }
                Some(e) if e.dtype.size().is_none() => {
                    faults.push(format!("wrong type: {} is {}; use F64, F32, F16 or BF16", p.name, e.dtype));
                }
                Some(_) => {}
            }
        }
        let known: HashSet<_> = parameters.iter().map(|p| p.name.as_str()).collect();
        let surplus = self.entries.iter().filter(|(name, _)| !known.contains(name.as_str()));
        for (name, e) in surplus.filter(|(name, _)| !names::is_counter(name)) {
            faults.push(format!("surplus: {name}, shape {:?}", e.shape));
        }
        faults
    }

    /// Compares names, shapes and types with what a network reads.
    ///
    /// # Errors
    /// `bad-weights` listing every missing, surplus and misshapen tensor.
    pub fn check(&self, network: &str, parameters: &[Parameter]) -> Result<()> {
        let faults = self.mismatches(parameters);
        if faults.is_empty() {
            return Ok(());
        }
        let (file, count) = (self.source.name(), faults.len());
        Err(Error::bad_weights(format!(
            "{file} does not fit {network}, {count} tensors differ:\n{}",
            faults.join("\n")
        )))
    }

    /// A reader of tensors for one pass over the file.
    ///
    /// # Errors
    /// `bad-weights` if the file cannot be read.
    pub async fn reader(&self) -> Result<Reader<'_>> {
        let length = self.source.length()?;
        let bytes = if length <= SMALL_FILE { self.source.read(0..length).await? } else { vec![0; PIECE] };
        Ok(Reader { checkpoint: self, is_whole: length <= SMALL_FILE, bytes })
    }
}

/// Reads tensors; see [`Checkpoint::reader`].
#[derive(Debug)]
pub struct Reader<'a> {
    checkpoint: &'a Checkpoint,
    /// Whether `bytes` are the file; else they are room for a piece of it, one for all reads, so that memory is not torn.
    is_whole: bool,
    bytes: Vec<u8>,
}

impl Reader<'_> {
    /// The named tensors as f32, and nothing else in memory.
    ///
    /// # Errors
    /// `bad-weights` if a tensor is missing, of another type, holds values that are not finite, or cannot be read.
    pub async fn read(&mut self, names: &[String]) -> Result<Parameters> {
        let mut parameters = Parameters::default();
        let file = self.checkpoint.source.name();
        for name in names {
            let entry = self.checkpoint.entries.get(name);
            let entry = entry.ok_or_else(|| Error::bad_weights(format!("{file} lacks tensor {name}")))?;
            let values = self.values(name, entry).await?.ok_or_else(|| {
                Error::bad_weights(format!(
                    "{file}: tensor {name} of type {} and shape {:?} does not fit its {} bytes",
                    entry.dtype,
                    entry.shape,
                    entry.end - entry.start
                ))
            })?;
            if let Some(bad) = values.iter().find(|v| !v.is_finite()) {
                return Err(Error::bad_weights(format!("{file}: tensor {name} holds {bad}; weights must be finite")));
            }
            parameters.insert(name.clone(), values);
        }
        Ok(parameters)
    }

    /// The values of `entry`, called `name`; none if they are not floating point or too few.
    async fn values(&mut self, name: &str, entry: &Entry) -> Result<Option<Vec<f32>>> {
        let source = &self.checkpoint.source;
        if self.is_whole {
            let bytes = self.bytes.get(entry.start as usize..entry.end as usize);
            let gone = || Error::bad_weights(format!("{} became shorter: tensor {name} is gone", source.name()));
            return Ok(entry.values(bytes.ok_or_else(gone)?));
        }
        let Some(size) = entry.dtype.size() else { return Ok(None) };
        let mut values = Vec::with_capacity((entry.end - entry.start) as usize / size);
        for start in (entry.start..entry.end).step_by(PIECE) {
            let length = PIECE.min((entry.end - start) as usize);
            let piece = &mut self.bytes[..length];
            source.read_into(start, piece).await?;
            if entry.dtype.decode(piece, &mut values).is_none() {
                return Ok(None);
            }
        }
        Ok(entry.arrange(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_tensor_read_in_pieces_is_whole() {
        let count = (SMALL_FILE / 4) as usize + 3;
        let header = format!(r#"{{"x":{{"dtype":"F32","shape":[{count}],"data_offsets":[0,{}]}}}}"#, 4 * count);
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.as_bytes());
        (0..count).for_each(|i| file.extend((i as f32).to_le_bytes()));
        pollster::block_on(async {
            let checkpoint = Checkpoint::open(Source::Bytes(file.into())).await.unwrap();
            let mut reader = checkpoint.reader().await.unwrap();
            assert!(!reader.is_whole);
            let parameters = reader.read(&["x".to_string()]).await.unwrap();
            let x = parameters.get("x").unwrap();
            assert_eq!(x.len(), count);
            assert!(x.iter().enumerate().all(|(i, &value)| value == i as f32));
        });
    }
}
