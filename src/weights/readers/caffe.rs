//! `.caffemodel` files: a protobuf `NetParameter`, whose layers hold their weights as blobs. Field numbers are those of
//! Caffe's `caffe.proto`.

use super::bytes::Bytes;
use super::caffe_names::tensors;
use super::{Fault, refuse};
use crate::weights::{Dtype, Entry, Format, Index, TensorSet};
use prost::encoding::{WireType, decode_key, decode_varint};
use std::collections::HashMap;

const MAX_LAYERS: usize = 5_000;
const MAX_BLOBS: usize = 8;
const MAX_NAME: u64 = 256;
/// Bytes of the longest key and length of a field.
const MAX_KEY: u64 = 20;

/// A layer with weights.
#[derive(Debug, Default)]
pub(super) struct Layer {
    pub name: String,
    pub blobs: Vec<Entry>,
}

/// What `bytes` holds.
pub(super) fn index(bytes: &Bytes) -> Result<Index, Fault> {
    let mut metadata = HashMap::new();
    let mut set = TensorSet::default();
    let mut layers = 0;
    let mut fields = Fields { bytes, at: 0, end: bytes.length() };
    while let Some(field) = fields.next()? {
        match field.number {
            1 => drop(metadata.insert("name".to_string(), text(bytes, &field)?)),
            2 | 100 => {
                layers += 1;
                if layers > MAX_LAYERS {
                    return refuse(format!("it has more than {MAX_LAYERS} layers"));
                }
                // A V1 layer (field 2) has its name and blobs under other numbers.
                let numbers = if field.number == 2 { [4, 6] } else { [1, 7] };
                for (name, entry) in tensors(bytes, layer(bytes, &field, numbers)?)? {
                    if set.tensors.insert(name.clone(), entry).is_some() {
                        return refuse(format!("two of its layers hold {name}"));
                    }
                }
            }
            _ => {}
        }
    }
    if set.tensors.is_empty() {
        return refuse("it is neither safetensors, a PyTorch file nor a .caffemodel: no layers with weights are in it");
    }
    Ok(Index { format: Format::Caffe, sets: vec![set], metadata })
}

fn layer(bytes: &Bytes, field: &Field, [name, blobs]: [u32; 2]) -> Result<Layer, Fault> {
    let mut layer = Layer::default();
    let mut fields = field.fields(bytes)?;
    while let Some(field) = fields.next()? {
        if field.number == name {
            layer.name = text(bytes, &field)?;
        } else if field.number == blobs {
            if layer.blobs.len() == MAX_BLOBS {
                return refuse(format!("layer {} has more than {MAX_BLOBS} blobs", layer.name));
            }
            let entry = blob(bytes, &field);
            layer.blobs.push(entry.map_err(|fault| match fault {
                Fault::Content(why) => Fault::Content(format!("a blob of layer {:?}: {why}", layer.name)),
                fault => fault,
            })?);
        }
    }
    Ok(layer)
}

fn blob(bytes: &Bytes, field: &Field) -> Result<Entry, Fault> {
    let mut legacy: [Option<u64>; 4] = [None; 4];
    let mut shape = None;
    let mut data = None;
    let mut fields = field.fields(bytes)?;
    while let Some(field) = fields.next()? {
        match field.number {
            // num, channels, height, width
            number @ 1..=4 => legacy[number as usize - 1] = Some(field.start),
            7 => shape = Some(dimensions(bytes, &field)?),
            5 | 8 if data.is_some() || !field.is_range => {
                return refuse("its values are in several parts; save it again with Caffe, which packs them");
            }
            5 => data = Some((Dtype::F32, field)),
            8 => data = Some((Dtype::F64, field)),
            _ => {}
        }
    }
    let old = || legacy.iter().any(Option::is_some).then(|| legacy.map(|n| n.unwrap_or(1)).to_vec());
    let shape = shape.or_else(old).unwrap_or_default();
    let Some((dtype, data)) = data else { return refuse("it has no values") };
    let sizes: Option<Vec<usize>> = shape.iter().map(|&extent| usize::try_from(extent).ok()).collect();
    let entry = sizes.and_then(|shape| Entry::contiguous(dtype, shape, data.start));
    match entry {
        Some(entry) if entry.end == data.end => Ok(entry),
        _ => refuse(format!("its shape {shape:?} does not fit its {} bytes of values", data.end - data.start)),
    }
}

/// `BlobShape`: its dimensions, packed or one by one.
fn dimensions(bytes: &Bytes, field: &Field) -> Result<Vec<u64>, Fault> {
    const MAX_DIMENSIONS: usize = 8;
    let mut shape = Vec::new();
    let mut fields = field.fields(bytes)?;
    while let Some(field) = fields.next()? {
        if field.number == 1 && field.is_range {
            let packed = bytes.read(field.start, (field.end - field.start).min(10 * MAX_DIMENSIONS as u64))?;
            let mut rest = packed.as_slice();
            while !rest.is_empty() {
                shape.push(varint(&mut rest)?);
            }
        } else if field.number == 1 {
            shape.push(field.start);
        }
        if shape.len() > MAX_DIMENSIONS {
            return refuse(format!("it has more than {MAX_DIMENSIONS} dimensions"));
        }
    }
    Ok(shape)
}

fn text(bytes: &Bytes, field: &Field) -> Result<String, Fault> {
    let length = field.end.saturating_sub(field.start);
    if !field.is_range || length > MAX_NAME {
        return refuse(format!("a name in it has {length} bytes, more than {MAX_NAME}"));
    }
    Ok(String::from_utf8_lossy(&bytes.read(field.start, length)?).into_owned())
}

/// The value of a blob that holds one.
pub(super) fn scalar(bytes: &Bytes, entry: &Entry) -> Result<f32, Fault> {
    let values = match entry.end - entry.start {
        length @ (4 | 8) => entry.values(&bytes.read(entry.start, length)?),
        _ => None,
    };
    match values.as_deref() {
        Some([value]) => Ok(*value),
        _ => refuse(format!("the factor of a batch norm has shape {:?} and should be one value", entry.shape)),
    }
}

/// A field of a message: the bytes `start .. end`, or the value `start` of a number.
#[derive(Debug)]
struct Field {
    number: u32,
    is_range: bool,
    start: u64,
    end: u64,
}

impl Field {
    /// The fields of the message that this one holds.
    fn fields<'a>(&self, bytes: &'a Bytes<'a>) -> Result<Fields<'a>, Fault> {
        if !self.is_range {
            return refuse(format!("field {} is a number where a message is due", self.number));
        }
        Ok(Fields { bytes, at: self.start, end: self.end })
    }
}

/// The fields of a message, whose values are skipped unread.
#[derive(Debug)]
struct Fields<'a> {
    bytes: &'a Bytes<'a>,
    at: u64,
    end: u64,
}

impl Fields<'_> {
    fn next(&mut self) -> Result<Option<Field>, Fault> {
        if self.at >= self.end {
            return Ok(None);
        }
        let start = self.at;
        let head = self.bytes.read(start, MAX_KEY.min(self.end - start))?;
        let mut rest = head.as_slice();
        let damaged = |e| Fault::Content(format!("it is damaged at byte {start}: {e}"));
        let (number, wire) = decode_key(&mut rest).map_err(damaged)?;
        let behind = |rest: &[u8]| start + (head.len() - rest.len()) as u64;
        let mut field = Field { number, is_range: true, start: behind(rest), end: 0 };
        let length = match wire {
            WireType::Varint => {
                field.is_range = false;
                field.start = varint(&mut rest)?;
                self.at = behind(rest);
                return Ok(Some(field));
            }
            WireType::LengthDelimited => varint(&mut rest)?,
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            _ => return refuse(format!("it is damaged at byte {start}: groups are not part of a NetParameter")),
        };
        field.is_range = wire == WireType::LengthDelimited;
        field.start = behind(rest);
        let end = field.start.checked_add(length).filter(|&end| end <= self.end);
        let Some(end) = end else {
            return refuse(format!("field {number} at byte {start} has {length} bytes, more than are there"));
        };
        (field.end, self.at) = (end, end);
        Ok(Some(field))
    }
}

fn varint(rest: &mut &[u8]) -> Result<u64, Fault> {
    decode_varint(rest).map_err(|e| Fault::Content(format!("a number in it is damaged: {e}")))
}
