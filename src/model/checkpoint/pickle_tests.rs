use super::*;

fn read(bytes: &[u8]) -> Result<Pickle<'_>, PickleError> {
    Pickle::read(bytes)
}

/// The outermost value, where it holds no others.
fn value(bytes: &[u8]) -> Value<'_> {
    let pickle = read(bytes).unwrap();
    pickle.get(pickle.root()).clone()
}

#[test]
fn plain_values_of_every_protocol_are_read() {
    let cases: [(&[u8], Value<'_>); 27] = [
        (b"N.", Value::None),
        (b"I01\n.", Value::Bool(true)),
        (b"I00\n.", Value::Bool(false)),
        (b"\x80\x02\x88.", Value::Bool(true)),
        (b"\x80\x02\x89.", Value::Bool(false)),
        (b"I-123\n.", Value::Int(-123)),
        (b"L123456789012L\n.", Value::Int(123_456_789_012)),
        (b"L99999999999999999999L\n.", Value::Opaque),
        (b"K\xff.", Value::Int(255)),
        (b"M\xff\xff.", Value::Int(65_535)),
        (b"J\xff\xff\xff\xff.", Value::Int(-1)),
        (b"\x8a\x00.", Value::Int(0)),
        (b"\x8a\x01\x80.", Value::Int(-128)),
        (b"\x8a\x02\x80\x00.", Value::Int(128)),
        (b"\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80.", Value::Int(i64::MIN)),
        (b"\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01.", Value::Opaque),
        (b"\x8b\x02\x00\x00\x00\x39\x30.", Value::Int(12345)),
        (b"F1.5\n.", Value::Float(1.5)),
        (b"G\x3f\xf8\x00\x00\x00\x00\x00\x00.", Value::Float(1.5)),
        (b"Vtext\n.", Value::Text("text")),
        (b"S'text'\n.", Value::Text("text")),
        (b"U\x04text.", Value::Text("text")),
        (b"U\x01\xff.", Value::Opaque),
        (b"X\x04\x00\x00\x00text.", Value::Text("text")),
        (b"\x8c\x04text.", Value::Text("text")),
        (b"\x8d\x04\x00\x00\x00\x00\x00\x00\x00text.", Value::Text("text")),
        (b"C\x02\x00\x01.", Value::Opaque),
    ];
    for (bytes, expected) in cases {
        assert_eq!(value(bytes), expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn containers_share_their_members_and_later_keys_count() {
    // d = {"a": [1, 2]}; d["b"] = d["a"]; d["a"] = (): as protocol 2 writes it
    let pickle =
        read(b"\x80\x02}q\x00(X\x01\x00\x00\x00a]q\x01(K\x01K\x02eX\x01\x00\x00\x00bh\x01X\x01\x00\x00\x00a)u.");
    let pickle = pickle.unwrap();
    let entries = pickle.entries(pickle.root()).unwrap();
    assert_eq!(entries.len(), 2);
    assert_eq!(*pickle.get(entries["a"]), Value::Tuple(Vec::new()));
    let Value::List(list) = pickle.get(entries["b"]) else { panic!("no list") };
    assert_eq!(list.iter().map(|&id| pickle.get(id).clone()).collect::<Vec<_>>(), [Value::Int(1), Value::Int(2)]);
}

#[test]
fn names_are_never_called_and_attributes_are_kept() {
    // os.system("true"), argparse.Namespace(n_heads=6), an unknown class with attributes
    assert_eq!(value(b"cos\nsystem\n(S'true'\ntR."), Value::Opaque);
    assert_eq!(value(b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R."), Value::Opaque);
    assert_eq!(value(b"(S'true'\nios\nsystem\n."), Value::Opaque);
    assert_eq!(value(b"(cos\nsystem\nS'true'\no."), Value::Opaque);
    assert_eq!(value(b"cos\nsystem\n."), Value::Global { module: "os", name: "system" });
    let namespace = b"\x80\x02cargparse\nNamespace\n)\x81}X\x07\x00\x00\x00n_headsK\x06sb.";
    let pickle = read(namespace).unwrap();
    let entries = pickle.entries(pickle.root()).unwrap();
    assert_eq!(*pickle.get(entries["n_heads"]), Value::Int(6));
    let reduced =
        read(b"ccopy_reg\n_reconstructor\n(cargparse\nNamespace\nc__builtin__\nobject\nNtR(dS'k'\nI4\nsb.").unwrap();
    assert_eq!(*reduced.get(reduced.entries(reduced.root()).unwrap()["k"]), Value::Int(4));
    assert_eq!(value(b"\x80\x02cevil\nThing\n)\x81}X\x01\x00\x00\x00aK\x01sb."), Value::Opaque);
}

#[test]
fn tensors_and_storages_become_plain_descriptions() {
    let bytes = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nHalfStorage\nX\x01\x00\x00\x007X\x03\x00\x00\x00cpuK\x0ctQK\x02K\x03K\x02\x86K\x02K\x01\x86\x89ccollections\nOrderedDict\n)RtR.";
    let pickle = read(bytes).unwrap();
    let Value::Tensor(view) = pickle.get(pickle.root()) else { panic!("no tensor") };
    assert_eq!((view.offset, &view.shape[..], &view.strides[..]), (2, &[3, 2][..], &[2, 1][..]));
    assert_eq!(*pickle.get(view.storage), Value::Storage { kind: "HalfStorage", key: "7" });
    // a negative size, too many dimensions, and a call without arguments are nothing that can be read
    let tensor = |rest: &[u8]| [&b"ctorch._utils\n_rebuild_tensor_v2\n"[..], rest, b"R."].concat();
    for rest in
        [&b"(NI0\n(I-1\nt(I1\ntt"[..], b"(NI0\n(I1\nt(tt", b"()t", b"(NI0\n(I1\nI1\nI1\nI1\nI1\nI1\nI1\nI1\nI1\nt(tt"]
    {
        let bytes = tensor(rest);
        assert_eq!(value(&bytes), Value::Opaque, "{}", bytes.escape_ascii());
    }
    // a parameter is its tensor
    assert_eq!(value(b"ctorch._utils\n_rebuild_parameter\n(I7\nI01\nNtR."), Value::Int(7));
}

#[test]
fn what_can_not_be_followed_is_an_error_that_says_where() {
    let malformed = |bytes: &[u8]| matches!(read(bytes), Err(PickleError::Malformed { .. }));
    for bytes in [
        &b"."[..],
        b"a.",
        b"0.",
        b"(0.",
        b"R.",
        b"h\x00.",
        b"j\xff\xff\xff\xff.",
        b"e.",
        b"t.",
        b"N(a.",
        b"NNNs.",
        b"N(NNNu.",
        b"K\x01\x86.",
        b"(K\x01\x85K\x01(\x86.",
        b"NNR.",
        b"I\n.",
        b"Ix\n.",
        b"Stext\n.",
        b"\x8c\x01\xff.",
        b"NN\x93.",
        b"px\n.",
    ] {
        assert!(malformed(bytes), "{}: {:?}", bytes.escape_ascii(), read(bytes));
    }
    assert_eq!(read(b"").unwrap_err(), PickleError::Truncated(0));
    assert_eq!(read(b"\x80\x05N.").unwrap_err(), PickleError::Protocol(5));
    assert_eq!(read(b"N\x96.").unwrap_err(), PickleError::Instruction { at: 1, code: 0x96 });
    for bytes in [
        &b"N"[..],
        b"I12",
        b"X\xff\xff\xff\xffab.",
        b"B\xff\xff\xff\xff.",
        b"T\xff\xff\xff\x7f.",
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff.",
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"\x8b\xff\xff\xff\xff.",
        b"\x95\xff\xff\xff\xff\xff\xff\xff\xffN.",
        b"G\x00",
    ] {
        assert!(matches!(read(bytes), Err(PickleError::Truncated(_))), "{}", bytes.escape_ascii());
    }
}

#[test]
fn depth_and_sharing_cost_no_more_than_the_bytes_that_ask_for_them() {
    // a million lists, each within the next
    let mut deep = b"]".repeat(1_000_000);
    deep.extend(b"a".repeat(999_999));
    deep.push(b'.');
    let pickle = read(&deep).unwrap();
    assert_eq!(pickle.values.len(), 1_000_000);
    drop(pickle);
    // a million open marks
    let mut marks = b"(".repeat(1_000_000);
    marks.push(b'.');
    assert!(read(&marks).is_err());
    // "billion laughs": each list holds the one before ten times
    let mut laughs = b"]q\x00".to_vec();
    for level in 1..=100u8 {
        laughs.push(b']');
        laughs.extend([b'q', level]);
        laughs.push(b'(');
        laughs.extend([b'h', level - 1].repeat(10));
        laughs.push(b'e');
    }
    laughs.push(b'.');
    assert_eq!(read(&laughs).unwrap().values.len(), 101);
    // memo numbers are labels, not sizes
    assert_eq!(value(b"Nr\xff\xff\xff\xff0j\xff\xff\xff\xff."), Value::None);
    // one value memoised a million times
    let mut memoised = b"N".to_vec();
    memoised.extend(b"\x94".repeat(1_000_000));
    memoised.push(b'.');
    assert_eq!(read(&memoised).unwrap().values.len(), 1);
    // more of anything than a model needs is refused
    for (many, times) in [(&b"N"[..], MAX_VALUES), (b"N\x94", MAX_VALUES), (b"2", MAX_STACK), (b"(", MAX_DEPTH)] {
        let bytes = [&b"N"[..], &many.repeat(times + 1), b"."].concat();
        assert!(matches!(read(&bytes), Err(PickleError::Malformed { .. })), "{}", many.escape_ascii());
    }
    // one big tuple called a hundred thousand times
    let mut calls = b"cevil\ncall\nq\x00(".to_vec();
    calls.extend(b"N".repeat(100_000));
    calls.extend(b"tq\x01");
    for _ in 0..100_000 {
        calls.extend(b"0h\x00h\x01R");
    }
    calls.push(b'.');
    assert!(read(&calls).is_ok());
}

/// Many prefixes, and every byte changed in one of several ways, of a pickle that PyTorch wrote: an error or a value, within the
/// memory that its bytes allow.
#[test]
fn an_altered_pickle_is_an_error_or_a_value() {
    let published = include_bytes!("../../../tests/fixtures/reference/published_mae_k4.pt");
    let start = published.windows(2).position(|pair| pair == b"\x80\x02").unwrap();
    let original = &published[start..start + 17_419];
    let whole = read(original).unwrap();
    let bound = |pickle: Pickle<'_>| assert!(pickle.values.len() <= original.len());
    for end in (0..original.len()).step_by(5) {
        assert!(read(&original[..end]).is_err(), "cut at {end}");
    }
    let mut altered = original.to_vec();
    let mut read_anyway = 0;
    for at in 0..original.len() {
        altered[at] ^= [0x01, 0x80, 0xff, original[at] ^ b'.', original[at] ^ b'('][at % 5];
        if let Ok(pickle) = read(&altered) {
            read_anyway += 1;
            bound(pickle);
        }
        altered[at] = original[at];
    }
    assert!(read_anyway > 0 && whole.values.len() <= original.len());
}
