//! The machine that runs a pickle.

use super::{Global, Object, Pickle, Storage, Tensor, Value};
use std::collections::HashMap;

/// Most dimensions of a tensor.
const MAX_DIMENSIONS: usize = 16;

#[derive(Default)]
pub(super) struct Machine<'a> {
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
    /// At the start of the pickle at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, ..Self::default() }
    }

    /// Runs the next opcode, unless it is the last.
    pub fn advance(&mut self) -> Step<bool> {
        let start = self.at;
        let opcode = self.take(1)?[0];
        if opcode == b'.' {
            return Ok(false);
        }
        match self.step(opcode) {
            Ok(()) => Ok(true),
            Err(why) if why.is_empty() => Err(format!("its pickle is damaged at byte {start}")),
            Err(why) => Err(why),
        }
    }

    /// Values that are held.
    pub fn values(&self) -> usize {
        self.stack.len() + self.marks.len() + self.objects.len() + self.memo.len() + self.elements
    }

    /// What the pickle made, after its last opcode.
    pub fn finish(mut self) -> Step<Pickle> {
        let root = self.stack.pop().ok_or("its pickle is empty")?;
        Ok(Pickle { length: self.at, objects: self.objects, root })
    }

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

    fn tuple_of(&self, value: Value) -> Step<&[Value]> {
        match self.object(value) {
            Some(Object::Tuple(values)) => Ok(values),
            _ => Err(String::new()),
        }
    }

    fn object(&self, value: Value) -> Option<&Object> {
        if let Value::Object(at) = value { self.objects.get(at) } else { None }
    }

    fn text(&self, value: Value) -> Step<&str> {
        match self.object(value) {
            Some(Object::Text(text)) => Ok(text),
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
                let global = Global::named(self.text(module)?, self.text(name)?)?;
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

    /// BINPERSID: `('storage', type, key, device, count)`, in old files with what the storage is a view of.
    fn storage(&mut self) -> Step {
        let parts = self.pop()?;
        let (&[_, Value::Global(Global::Storage(kind)), key, _, Value::Int(count)]
        | &[_, Value::Global(Global::Storage(kind)), key, _, Value::Int(count), Value::Nothing]) =
            self.tuple_of(parts)?
        else {
            return match self.tuple_of(parts)?.len() {
                6 => Err("it holds a view of a storage, as PyTorch before 0.4 saved it; save it again".into()),
                _ => Err(String::new()),
            };
        };
        let count = damaged(u64::try_from(count).ok())?;
        self.text(key)?;
        self.push_object(Object::Storage(Storage { kind, key, count }))
    }

    fn call(&mut self) -> Step {
        let arguments = self.pop()?;
        let Value::Global(function) = self.pop()? else { return Err(String::new()) };
        match (function, self.tuple_of(arguments)?) {
            (Global::Dict | Global::Options, []) => self.push_object(Object::Dict(Vec::new())),
            (Global::Size, &[sizes]) | (Global::RebuildParameter, &[sizes, ..]) => self.push(sizes),
            (Global::RebuildTensor, &[Value::Object(storage), Value::Int(offset), shape, strides, ..])
                if matches!(self.objects.get(storage), Some(Object::Storage(_))) =>
            {
                let offset = damaged(u64::try_from(offset).ok())?;
                let (shape, strides) = (self.sizes(shape)?, self.sizes(strides)?);
                self.push_object(Object::Tensor(Tensor { storage, offset, shape, strides }))
            }
            _ => Err(String::new()),
        }
    }

    fn sizes(&self, value: Value) -> Step<Vec<usize>> {
        let values = self.tuple_of(value)?;
        let size = |value: &Value| if let Value::Int(n) = value { usize::try_from(*n).ok() } else { None };
        if values.len() > MAX_DIMENSIONS {
            return Err(format!("it holds a tensor of {} dimensions, more than {MAX_DIMENSIONS}", values.len()));
        }
        damaged(values.iter().map(size).collect())
    }
}
