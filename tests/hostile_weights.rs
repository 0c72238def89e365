//! Files made to exhaust memory or to break a reader, and archives that are refused.

#[path = "common/reading.rs"]
mod reading;

use reading::verdict;

/// A file as before PyTorch 1.6 of what `content` makes, whose storages `keys` lists, with `storages` behind.
fn legacy(content: &[u8], keys: &[u8], storages: &[u8]) -> Vec<u8> {
    let magic = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
    let parts = [magic, &b"\x80\x02M\xe9\x03."[..], b"\x80\x02}.", b"\x80\x02", content, b".", b"\x80\x02", keys, b"."];
    [&parts.concat(), storages].concat()
}

fn text(value: &[u8]) -> Vec<u8> {
    [b"X", &(value.len() as u32).to_le_bytes()[..], value].concat()
}

fn int(value: u64) -> Vec<u8> {
    [b"\x8a\x08", &value.to_le_bytes()[..]].concat()
}

/// `('storage', FloatStorage, key, 'cpu', count)` for a key that the memo holds under 0.
fn storage(count: u64) -> Vec<u8> {
    let parts: [&[u8]; 6] = [b"(N", b"ctorch\nFloatStorage\n", b"h\x00", b"N", &int(count), b"tQ"];
    parts.concat()
}

/// A tensor of the storage that `storage` makes.
fn tensor(storage: &[u8], shape: &[u64], strides: &[u64]) -> Vec<u8> {
    let sizes = |sizes: &[u64]| [b"(".to_vec(), sizes.iter().flat_map(|&n| int(n)).collect(), b"t".to_vec()].concat();
    let head = b"ctorch._utils\n_rebuild_tensor_v2\n(";
    [&head[..], storage, b"K\x00", &sizes(shape), &sizes(strides), b"NNtR"].concat()
}

/// A file of what `content` makes, with the key of one storage of one value in the memo under 0.
fn with_storage(content: &[u8]) -> Vec<u8> {
    let key = [text(b"0"), b"q\x000".to_vec()].concat();
    let keys = [b"]".to_vec(), text(b"0"), b"a".to_vec()].concat();
    legacy(&[&key, content].concat(), &keys, &[&1_u64.to_le_bytes()[..], &[0; 4]].concat())
}

fn refused(bytes: &[u8]) -> String {
    verdict(bytes).expect("refused in order").expect("refused")
}

#[test]
fn a_long_key_is_not_copied_for_every_storage() {
    let key = [text(&vec![b'k'; 1 << 20]), b"q\x000".to_vec()].concat();
    let content = [key, b"}".to_vec(), storage(1).repeat(10_000)].concat();
    assert!(refused(&legacy(&content, b"]", b"")).contains("state dict"));
}

#[test]
fn a_long_name_is_refused() {
    let dict = [b"}".to_vec(), text(&vec![b'n'; 2000]), tensor(&storage(1), &[1], &[1]), b"s".to_vec()].concat();
    assert!(refused(&with_storage(&dict)).contains("name has 2000 bytes"));
}

#[test]
fn a_long_key_of_a_storage_is_not_told_in_full() {
    let key = [text(&vec![b'k'; 100_000]), b"q\x000".to_vec()].concat();
    let tensor = tensor(&storage(1), &[1], &[1]);
    let content = [key, b"}".to_vec(), text(b"weight"), tensor, b"s".to_vec()].concat();
    let message = refused(&legacy(&content, b"]", b""));
    assert!(message.contains("tensor weight is in storage kkk") && message.ends_with('…'), "{message}");
}

/// Each of eight nests names the same dict of eight nests, and so on, with many tensors at the end.
#[test]
fn a_dict_with_many_names_is_read_once() {
    let nests = ["state_dict_ema", "model_ema", "ema_state_dict", "ema", "state_dict", "model", "net", "module"];
    let mut content = [tensor(&storage(1), &[1], &[1]), b"q\x010}".to_vec()].concat();
    for i in 0..20_000 {
        content.extend([text(format!("layer{i}.weight").as_bytes()), b"h\x01s".to_vec()].concat());
    }
    for _ in 0..3 {
        content.extend(b"q\x020}");
        nests.iter().for_each(|nest| content.extend([text(nest.as_bytes()), b"h\x02s".to_vec()].concat()));
    }
    assert_eq!(verdict(&with_storage(&content)), Ok(None));
}

#[test]
fn empty_tensors_may_have_any_shape() {
    let big = 1 << 40;
    let of = |shape: &[u64], strides: &[u64]| {
        let tensor = tensor(&storage(1), shape, strides);
        verdict(&with_storage(&[b"}".to_vec(), text(b"w"), tensor, b"s".to_vec()].concat()))
    };
    assert_eq!(of(&[0, big, big], &[0, big, 1]), Ok(None));
    assert!(of(&[big, big, 0], &[0, big, 1]).unwrap().unwrap().contains("more than the file holds"));
    assert!(of(&[2], &[u64::MAX >> 1]).unwrap().unwrap().contains("tensor w"));
}

#[test]
fn the_largest_header_of_safetensors_stays_within_the_bound() {
    let mut header = b"{".to_vec();
    for i in 0.. {
        let entry = format!("\"{i:x}\":{{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}},");
        if header.len() + entry.len() > 4 << 20 {
            break;
        }
        header.extend(entry.as_bytes());
    }
    *header.last_mut().unwrap() = b'}';
    let file = [&(header.len() as u64).to_le_bytes()[..], &header].concat();
    assert_eq!(verdict(&file), Ok(None));
    let longer = [&(5_u64 << 20).to_le_bytes()[..], b"{", &vec![b' '; 5 << 20]].concat();
    assert!(refused(&longer).contains("header"));
}

#[test]
fn the_most_values_of_a_pickle_stay_within_the_bound() {
    for one in [&b"]"[..], b"}", b")", b"(", b"N", b"X\x01\x00\x00\x00\xff", b"N\x85", b"(NNNNNNNNt", b"\x94"] {
        let file = legacy(&[b"}", &one.repeat(1 << 20)[..]].concat(), b"]", b"");
        let message = refused(&file);
        assert!(message.contains("values") || message.contains("damaged"), "{one:?}: {message}");
    }
}

/// Field `number` with bytes.
fn field(number: u32, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::encode_key(number, prost::encoding::WireType::LengthDelimited, &mut out);
    prost::encoding::encode_varint(bytes.len() as u64, &mut out);
    [out, bytes.to_vec()].concat()
}

#[test]
fn the_most_layers_of_a_caffemodel_stay_within_the_bound() {
    let blob = [field(7, &field(1, &[0; 8])), field(5, &[])].concat();
    let layer = |i: usize, blobs: usize, name: usize| {
        let name = format!("{i:0name$}");
        field(100, &[field(1, name.as_bytes()), field(7, &blob).repeat(blobs)].concat())
    };
    let layers = |count: usize| (0..count).flat_map(|i| layer(i, 8, 256)).collect::<Vec<u8>>();
    assert_eq!(verdict(&layers(5000)), Ok(None));
    assert!(refused(&layers(5001)).contains("more than 5000 layers"));
    assert!(refused(&layer(0, 9, 1)).contains("more than 8 blobs"));
    assert!(refused(&layer(0, 1, 257)).contains("257 bytes"));
    assert!(
        refused(&field(100, &field(7, &[field(7, &field(1, &[1; 9])), field(5, &[0; 4])].concat())))
            .contains("dimensions")
    );
}

fn archive() -> Vec<u8> {
    std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/weights/views.pth")).unwrap()
}

/// Where each header of the archive's directory begins, and where the directory ends.
fn directory(file: &[u8]) -> (Vec<usize>, usize) {
    let found = |signature: &[u8]| -> Vec<usize> {
        file.windows(4).enumerate().filter(|(_, w)| *w == signature).map(|(at, _)| at).collect()
    };
    (found(b"PK\x01\x02"), *found(b"PK\x05\x06").last().unwrap())
}

#[test]
fn compressed_and_encrypted_archives_are_refused_with_what_to_do() {
    let (headers, _) = directory(&archive());
    let with = |at: usize, value: u8| {
        let mut file = archive();
        file[headers[1] + at] = value;
        refused(&file)
    };
    let (flags, method) = (8, 10);
    let compressed = with(method, 8);
    assert!(compressed.contains("is compressed; save it again with torch.save"), "{compressed}");
    let encrypted = with(flags, 1);
    assert!(encrypted.contains("is encrypted; save it again without a password"), "{encrypted}");
}

/// What `torch.save` writes for files of four gigabytes and more: the directory's place and the files' sizes in 64 bits.
#[test]
fn zip64_archives_are_read() {
    let file = archive();
    let (headers, end) = directory(&file);
    let word = |at: usize, width: usize| file[at..at + width].iter().rev().fold(0_u64, |n, &b| n << 8 | u64::from(b));
    let mut out = file[..headers[0]].to_vec();
    let start = out.len() as u64;
    for (i, &at) in headers.iter().enumerate() {
        let next = headers.get(i + 1).copied().unwrap_or(end);
        let (size, name) = (word(at + 24, 4), word(at + 28, 2) as usize);
        let offset = word(at + 42, 4);
        let extra: Vec<u8> =
            [&b"\x01\x00\x18\x00"[..], &size.to_le_bytes(), &size.to_le_bytes(), &offset.to_le_bytes()].concat();
        let mut header = file[at..at + 46].to_vec();
        header[20..28].fill(0xff);
        header[42..46].fill(0xff);
        header[30..32].copy_from_slice(&(extra.len() as u16).to_le_bytes());
        header[32..34].fill(0);
        assert!(next >= at + 46 + name);
        out.extend([&header[..], &file[at + 46..at + 46 + name], &extra].concat());
    }
    let (count, size, record) = (headers.len() as u64, out.len() as u64 - start, out.len() as u64);
    out.extend(b"PK\x06\x06");
    out.extend(44_u64.to_le_bytes());
    out.extend(b"\x2d\x00\x2d\x00\0\0\0\0\0\0\0\0");
    [count, count, size, start].iter().for_each(|n| out.extend(n.to_le_bytes()));
    out.extend([&b"PK\x06\x07\0\0\0\0"[..], &record.to_le_bytes(), b"\x01\0\0\0"].concat());
    out.extend([&b"PK\x05\x06\0\0\0\0"[..], &[0xff; 12], b"\0\0"].concat());
    assert_eq!(verdict(&out), Ok(None));
    let mut lost = out.clone();
    let at = record as usize + 48;
    lost[at..at + 8].copy_from_slice(&(u64::MAX / 2).to_le_bytes());
    assert!(refused(&lost).contains("zip directory is damaged"));
}
