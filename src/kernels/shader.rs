//! Shaders as they ship: WGSL without its comments and indentation, which every visitor would download.

/// A WGSL file with one entry point.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Shader {
    /// File stem under `shaders/`.
    pub name: &'static str,
    /// The source, without comments and indentation.
    pub wgsl: &'static str,
    /// The compute entry point.
    pub entry: &'static str,
}

/// The [`Shader`] of a file under `shaders/`, with the entry point `main` unless another is named.
macro_rules! shader {
    ($name:literal) => {
        shader!($name, "main")
    };
    ($name:literal, $entry:literal) => {{
        const FILE: &str = include_str!(concat!("../../shaders/", $name, ".wgsl"));
        const LENGTH: usize = crate::kernels::shader::strip(FILE, &mut [0; FILE.len()]);
        const BYTES: [u8; LENGTH] = {
            let mut bytes = [0; LENGTH];
            crate::kernels::shader::strip(FILE, &mut bytes);
            bytes
        };
        const TEXT: &str = match std::str::from_utf8(&BYTES) {
            Ok(text) => text,
            Err(_) => panic!("the file is no UTF-8"),
        };
        &Shader { name: $name, wgsl: TEXT, entry: $entry }
    }};
}
pub(super) use shader;

/// Copies the lines of `source` to `out` without indentation, comments from `//` on, and empty lines; returns their length.
/// WGSL has no strings that `//` could stand in.
pub(super) const fn strip(source: &str, out: &mut [u8]) -> usize {
    let source = source.as_bytes();
    let (mut at, mut length) = (0, 0);
    while at < source.len() {
        while at < source.len() && (source[at] == b' ' || source[at] == b'\n') {
            at += 1;
        }
        let start = length;
        while at < source.len() && source[at] != b'\n' {
            if source[at] == b'/' && at + 1 < source.len() && source[at + 1] == b'/' {
                while at < source.len() && source[at] != b'\n' {
                    at += 1;
                }
                break;
            }
            out[length] = source[at];
            length += 1;
            at += 1;
        }
        if length > start {
            out[length] = b'\n';
            length += 1;
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_remains() {
        let stripped = |source: &str| {
            let mut out = vec![0; source.len() + 1];
            let length = strip(source, &mut out);
            String::from_utf8(out[..length].to_vec()).unwrap()
        };
        assert_eq!(
            stripped("// About.\n\n  fn f() -> u32 {\n    return 6u / 2u; // half\n  }"),
            "fn f() -> u32 {\nreturn 6u / 2u; \n}\n"
        );
        assert_eq!(stripped("// no code\n"), "");
    }
}
