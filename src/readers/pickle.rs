//! A machine for the pickles of `torch.save`. It knows the few globals that tensors need, by name, and calls nothing:
//! what a pickle builds are the values below, in an arena that cannot outgrow [`MAX_VALUES`].

use std::collections::HashMap;

/// Values that a pickle may make; a checkpoint of a thousand tensors makes some twenty thousand.
const MAX_VALUES: usize = 1 << 20;

/// Storage types: PyTorch's name, the name of the value's type, bytes of a value.
pub(super) const STORAGES: [(&str, &str, u64); 10] = [
    ("DoubleStorage", "F64", 8),
    ("FloatStorage", "F32", 4),
    ("HalfStorage", "F16", 2),
    ("BFloat16Storage", "BF16", 2),
    ("LongStorage", "I64", 8),
    ("IntStorage", "I32", 4),
    ("ShortStorage", "I16", 2),
    ("CharStorage", "I8", 1),
    ("ByteStorage", "U8", 1),
    ("BoolStorage", "BOOL", 1),
];

/// What a pickle may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    Dict,
    RebuildTensor,
    RebuildParameter,
    Size,
    /// `argparse.Namespace`, in which training scripts keep their options; read as an empty dict.
    Options,
    /// A row of [`STORAGES`].
    Storage(usize),
}

impl Global {
    fn named(module: &str, name: &str) -> Result<Self, String> {
        let storage = || STORAGES.iter().position(|s| s.0 == name).map(Self::Storage);
        let known = match (module, name) {
            ("collections", "OrderedDict") => Some(Self::Dict),
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Some(Self::RebuildTensor),
            ("torch._utils", "_rebuild_parameter") => Some(Self::RebuildParameter),
            ("torch", "Size") => Some(Self::Size),
            ("argparse", "Namespace") => Some(Self::Options),
            ("torch" | "torch.storage", _) => storage(),
            _ => None,
        };
        known.ok_or_else(|| {
            format!(
                "it names {module}.{name}, which is more than tensors; only tensors are read, so save \
                 model.state_dict() in place of the model"
            )
        })
    }
}

/// A value, or where it is in the arena.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    Nothing,
    Int(i64),
    Global(Global),
    Object(usize),
}

/// A value in the arena.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Object {
    Text(String),
    List(Vec<Value>),
    Tuple(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    /// Bytes outside the pickle: type, key, number of values.
    Storage(usize, String, u64),
    Tensor(Tensor),
}

/// A view of a storage.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tensor {
    /// The storage, in the arena.
    pub storage: usize,
    /// Its first value.
    pub offset: u64,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// What a pickle made.
#[derive(Debug)]
pub(super) struct Pickle {
    pub objects: Vec<Object>,
    pub root: Value,
    /// Bytes of the pickle.
    pub length: usize,
}

impl Pickle {
    pub fn object(&self, value: Value) -> Option<&Object> {
        if let Value::Object(at) = value { self.objects.get(at) } else { None }
    }

    pub fn text(&self, value: Value) -> Option<&str> {
        if let Object::Text(text) = self.object(value)? { Some(text) } else { None }
    }
}

/// Runs the pickle at the start of `bytes`.
///
/// The error is a clause that names what is damaged or not allowed.
pub(super) fn run(bytes: &[u8]) -> Result<Pickle, String> {
    let mut machine = Machine { bytes, ..Machine::default() };
    loop {
        let opcode = machine.take(1)?[0];
        if opcode == b'.' {
            break;
        }
        machine.step(opcode).map_err(|why| match why.is_empty() {
            true => format!("its pickle is damaged at byte {}", machine.at - 1),
            false => why,
        })?;
        if machine.stack.len() + machine.objects.len() + machine.memo.len() + machine.elements > MAX_VALUES {
            return Err(format!("its pickle makes more than {MAX_VALUES} values"));
        }
    }
    let root = machine.stack.pop().ok_or("its pickle is empty")?;
    Ok(Pickle { length: machine.at, objects: machine.objects, root })
}

#[derive(Default)]
struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
    objects: Vec<Object>,
    /// Values inside objects.
    elements: usize,
}

/// An empty message stands for damage that has no better description than its place.
type Step<T = ()> = Result<T, String>;

fn damaged<T>(value: Option<T>) -> Step<T> {
    value.ok_or_else(String::new)
}

impl<'a> Machine<'a> {
    fn take(&mut self, count: usize) -> Step<&'a [u8]> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.bytes.len());
        let end = end.ok_or("its pickle is truncated")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// A little-endian number of `count` bytes.
    fn number(&mut self, count: usize) -> Step<u64> {
        Ok(self.take(count)?.iter().rev().fold(0, |n, &byte| n << 8 | u64::from(byte)))
    }

    fn line(&mut self) -> Step<&'a str> {
        let length = damaged(self.bytes[self.at..].iter().position(|&b| b == b'\n'))?;
        let line = self.take(length + 1)?;
        damaged(std::str::from_utf8(&line[..length]).ok())
    }

    fn push(&mut self, value: Value) -> Step {
        self.stack.push(value);
        Ok(())
    }

    fn push_object(&mut self, object: Object) -> Step {
        self.elements += match &object {
            Object::List(values) | Object::Tuple(values) => values.len(),
            Object::Tensor(tensor) => 2 * tensor.shape.len(),
            _ => 0,
        };
        self.objects.push(object);
        self.push(Value::Object(self.objects.len() - 1))
    }

    fn push_text(&mut self, length: u64) -> Step {
        let bytes = self.take(damaged(usize::try_from(length).ok())?)?;
        self.push_object(Object::Text(String::from_utf8_lossy(bytes).into_owned()))
    }

    fn pop(&mut self) -> Step<Value> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(String::new());
        }
        damaged(self.stack.pop())
    }

    /// Everything above the last mark.
    fn pop_mark(&mut self) -> Step<Vec<Value>> {
        let mark = damaged(self.marks.pop())?;
        Ok(self.stack.split_off(mark))
    }

    fn pop_tuple(&mut self) -> Step<Vec<Value>> {
        let popped = self.pop()?;
        match self.object(popped) {
            Some(Object::Tuple(values)) => Ok(values.clone()),
            _ => Err(String::new()),
        }
    }

    fn object(&self, value: Value) -> Option<&Object> {
        if let Value::Object(at) = value { self.objects.get(at) } else { None }
    }

    fn text(&self, value: Value) -> Step<String> {
        match self.object(value) {
            Some(Object::Text(text)) => Ok(text.clone()),
            _ => Err(String::new()),
        }
    }

    /// The object below what was popped.
    fn top(&mut self) -> Step<&mut Object> {
        match self.stack.last() {
            Some(&Value::Object(at)) => damaged(self.objects.get_mut(at)),
            _ => Err(String::new()),
        }
    }

    fn append(&mut self, values: Vec<Value>) -> Step {
        self.elements += values.len();
        match self.top()? {
            Object::List(list) => list.extend(values),
            _ => return Err(String::new()),
        }
        Ok(())
    }

    fn set(&mut self, values: &[Value]) -> Step {
        self.elements += values.len();
        match (self.top()?, values.as_chunks()) {
            (Object::Dict(dict), (pairs, [])) => dict.extend(pairs.iter().map(|&[key, value]| (key, value))),
            _ => return Err(String::new()),
        }
        Ok(())
    }

    fn step(&mut self, opcode: u8) -> Step {
        match opcode {
            // PROTO, FRAME
            0x80 => self.take(1).map(drop),
            0x95 => self.take(8).map(drop),
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => self.pop().map(drop),
            b'1' => self.pop_mark().map(drop),
            // NONE, NEWTRUE, NEWFALSE, BINFLOAT: no tensor needs their values.
            b'N' | 0x88 | 0x89 => self.push(Value::Nothing),
            b'G' => {
                self.take(8)?;
                self.push(Value::Nothing)
            }
            b'J' | b'K' | b'M' | 0x8A => self.integer(opcode),
            b'X' | b'T' | b'B' => {
                let length = self.number(4)?;
                self.push_text(length)
            }
            b'U' | b'C' | 0x8C => {
                let length = self.number(1)?;
                self.push_text(length)
            }
            0x8D | 0x8E => {
                let length = self.number(8)?;
                self.push_text(length)
            }
            b'}' => self.push_object(Object::Dict(Vec::new())),
            b']' => self.push_object(Object::List(Vec::new())),
            b')' => self.push_object(Object::Tuple(Vec::new())),
            0x85..=0x87 => self.tuple(usize::from(opcode - 0x84)),
            b't' => {
                let values = self.pop_mark()?;
                self.push_object(Object::Tuple(values))
            }
            b'a' => {
                let value = self.pop()?;
                self.append(vec![value])
            }
            b'e' => {
                let values = self.pop_mark()?;
                self.append(values)
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set(&[key, value])
            }
            b'u' => {
                let values = self.pop_mark()?;
                self.set(&values)
            }
            b'q' | b'r' | 0x94 | b'h' | b'j' => self.remember(opcode),
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Value::Global(Global::named(module, name)?))
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let global = Global::named(&self.text(module)?, &self.text(name)?)?;
                self.push(Value::Global(global))
            }
            b'Q' => self.storage(),
            // REDUCE, NEWOBJ
            b'R' | 0x81 => self.call(),
            // BUILD: the attributes of a dict, such as a state dict's versions, are not read.
            b'b' => {
                self.pop()?;
                if matches!(self.top()?, Object::Dict(_)) { Ok(()) } else { Err(String::new()) }
            }
            _ => Err(format!("its pickle uses opcode {opcode:#04x} at byte {}, which no tensors need", self.at - 1)),
        }
    }

    fn integer(&mut self, opcode: u8) -> Step {
        let value = match opcode {
            b'J' => self.number(4)? as u32 as i32 as i64,
            b'K' => self.number(1)? as i64,
            b'M' => self.number(2)? as i64,
            _ => {
                let length = self.number(1)? as usize;
                let bytes = self.take(length)?;
                let sign = if bytes.last().is_some_and(|&b| b & 0x80 != 0) { -1 } else { 0 };
                // Longer ones are marks of the format, none of them a size.
                bytes.iter().rev().fold(sign, |n: i64, &byte| n << 8 | i64::from(byte))
            }
        };
        self.push(Value::Int(value))
    }

    fn tuple(&mut self, count: usize) -> Step {
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(self.pop()?);
        }
        values.reverse();
        self.push_object(Object::Tuple(values))
    }

    fn remember(&mut self, opcode: u8) -> Step {
        let key = match opcode {
            b'q' | b'h' => self.number(1)? as u32,
            b'r' | b'j' => self.number(4)? as u32,
            _ => self.memo.len() as u32,
        };
        if matches!(opcode, b'h' | b'j') {
            return self.push(damaged(self.memo.get(&key).copied())?);
        }
        let top = damaged(self.stack.last().copied())?;
        self.memo.insert(key, top);
        Ok(())
    }

    /// BINPERSID: `('storage', type, key, device, count)`.
    fn storage(&mut self) -> Step {
        let parts = self.pop_tuple()?;
        match parts.as_slice() {
            [_, Value::Global(Global::Storage(kind)), key, _, Value::Int(count), views @ ..] => {
                if views.iter().any(|view| *view != Value::Nothing) {
                    return Err("it holds a view of a storage, as PyTorch before 0.4 saved it; save it again".into());
                }
                let count = damaged(u64::try_from(*count).ok())?;
                let key = self.text(*key)?;
                self.push_object(Object::Storage(*kind, key, count))
            }
            _ => Err(String::new()),
        }
    }

    fn call(&mut self) -> Step {
        let arguments = self.pop_tuple()?;
        let Value::Global(function) = self.pop()? else { return Err(String::new()) };
        match (function, arguments.as_slice()) {
            (Global::Dict | Global::Options, []) => self.push_object(Object::Dict(Vec::new())),
            (Global::Size, [sizes]) | (Global::RebuildParameter, [sizes, ..]) => self.push(*sizes),
            (Global::RebuildTensor, [Value::Object(storage), Value::Int(offset), shape, strides, ..])
                if matches!(self.objects.get(*storage), Some(Object::Storage(..))) =>
            {
                let offset = damaged(u64::try_from(*offset).ok())?;
                let (shape, strides) = (self.sizes(*shape)?, self.sizes(*strides)?);
                self.push_object(Object::Tensor(Tensor { storage: *storage, offset, shape, strides }))
            }
            _ => Err(String::new()),
        }
    }

    fn sizes(&self, value: Value) -> Step<Vec<usize>> {
        let Some(Object::Tuple(values)) = self.object(value) else { return Err(String::new()) };
        let size = |value: &Value| if let Value::Int(n) = value { usize::try_from(*n).ok() } else { None };
        if values.len() > 16 {
            return Err(format!("it holds a tensor of {} dimensions", values.len()));
        }
        damaged(values.iter().map(size).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_refused_by_name() {
        let refused = |pickle: &[u8]| run(pickle).unwrap_err();
        assert!(refused(b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.").contains("os.system"));
        assert!(refused(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.").contains("builtins.eval"));
        assert!(refused(b"\x80\x02ctimm.models.resnet\nResNet\n)\x81}b.").contains("timm.models.resnet.ResNet"));
        assert!(refused(b"\x80\x02(I1\n.").contains("opcode 0x49 at byte 3"));
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let nested = [b"]".repeat(200_000), b"a".repeat(199_999), b".".to_vec()].concat();
        assert_eq!(run(&nested).unwrap().objects.len(), 200_000);
        assert!(run(&b"N".repeat(MAX_VALUES + 1)).unwrap_err().contains("values"));
        assert!(run(b"X\xff\xff\xff\xff").unwrap_err().contains("truncated"));
        for damaged in [&b"a."[..], b"(h\x01.", b"]Na0.", b"u.", b"}(Nu.", b"NQ.", b"N)R."] {
            assert!(run(damaged).unwrap_err().contains("pickle"), "{damaged:?}");
        }
    }
}
