//! The pickles of `torch.save`. Only the few globals that tensors need are known, by name, and nothing is called: what a
//! pickle builds are the values below, in an arena that cannot outgrow [`MAX_VALUES`].

mod machine;

use machine::Machine;

/// Values that a pickle may make; a checkpoint of a thousand tensors makes some twenty thousand, its optimiser as many
/// again.
const MAX_VALUES: usize = 1 << 18;
/// Longest name of a global; longer ones are damage.
const MAX_GLOBAL: usize = 256;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
        if module.len().max(name.len()) > MAX_GLOBAL {
            return Err(String::new());
        }
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// Bytes outside the pickle.
    Storage(Storage),
    Tensor(Tensor),
}

/// Values outside the pickle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Storage {
    /// A row of [`STORAGES`].
    pub kind: usize,
    /// Its key, a text in the arena.
    pub key: Value,
    /// Number of values.
    pub count: u64,
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

    /// The storage at `at` in the arena, and its key.
    pub fn storage(&self, at: usize) -> Option<(Storage, &str)> {
        let Some(Object::Storage(storage)) = self.objects.get(at) else { return None };
        Some((*storage, self.text(storage.key)?))
    }

    pub fn text(&self, value: Value) -> Option<&str> {
        if let Object::Text(text) = self.object(value)? { Some(text) } else { None }
    }
}

/// Runs the pickle at the start of `bytes`.
///
/// The error is a clause that names what is damaged or not allowed.
pub(super) fn run(bytes: &[u8]) -> Result<Pickle, String> {
    let mut machine = Machine::new(bytes);
    while machine.advance()? {
        if machine.values() > MAX_VALUES {
            return Err(format!("its pickle makes more than {MAX_VALUES} values"));
        }
    }
    machine.finish()
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
        let nested = [b"]".repeat(100_000), b"a".repeat(99_999), b".".to_vec()].concat();
        assert_eq!(run(&nested).unwrap().objects.len(), 100_000);
        for opcode in [b"N", b"(", b"]"] {
            assert!(run(&opcode.repeat(MAX_VALUES + 1)).unwrap_err().contains("values"), "{opcode:?}");
        }
        assert!(run(b"X\xff\xff\xff\xff").unwrap_err().contains("truncated"));
        for damaged in [&b"a."[..], b"(h\x01.", b"]Na0.", b"u.", b"}(Nu.", b"NQ.", b"N)R."] {
            assert!(run(damaged).unwrap_err().contains("pickle"), "{damaged:?}");
        }
    }
}
