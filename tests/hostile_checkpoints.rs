//! Checkpoints that are damaged, hostile, or of a kind that would be read wrongly: always an error that says so, never a panic,
//! never more memory than the file deserves.

#![expect(clippy::unwrap_used, reason = "a test that can't read its fixtures fails there and then")]

#[path = "torch_file/mod.rs"]
mod torch_file;

use barcodescope::data::reading::Layers;
use barcodescope::model::{Checkpoint, CheckpointLayout, DeviceChoice, Model, ModelError};
use std::path::{Path, PathBuf};
use torch_file::{Entry, Kind, Py, TorchFile, crc32, zip};

fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference").join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(reference(name)).unwrap()
}

fn read(bytes: &[u8]) -> Result<Checkpoint, ModelError> {
    Checkpoint::from_bytes("file.pt", bytes, Some(r#"{"num_attention_heads": 6}"#), None)
}

fn message(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

/// The file's positions: all within `dense`, some of the rest.
fn positions(length: usize, stride: usize, dense: &[std::ops::Range<usize>]) -> Vec<usize> {
    (0..length).filter(|at| at % stride == 0 || dense.iter().any(|range| range.contains(at))).collect()
}

/// Where the table of contents of a zip file starts.
fn directory_start(file: &[u8]) -> usize {
    let end = file.len() - 22;
    assert_eq!(&file[end..end + 4], b"PK\x05\x06");
    u32::from_le_bytes(file[end + 16..end + 20].try_into().unwrap()) as usize
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    for name in
        ["published_mae_k4.pt", "legacy_barcodebert_k5.pth", "mae_k4.safetensors", "hf_mlm_k4/model.safetensors"]
    {
        let whole = bytes(name);
        assert!(read(&whole).is_ok());
        for end in positions(whole.len(), 2999, &[0..64, whole.len() - 512..whole.len()]) {
            assert!(read(&whole[..end]).is_err(), "{name} cut at {end}");
        }
    }
}

#[test]
fn a_torch_file_altered_anywhere_is_an_error_or_the_same_model() {
    let mut file = bytes("published_mae_k4.pt");
    let original = read(&file).unwrap().info().id;
    let headers = directory_start(&file)..file.len();
    let mut same = 0;
    for at in positions(file.len(), 1999, &[0..128, headers]) {
        let change = [0x01, 0xff][at % 2];
        file[at] ^= change;
        if let Ok(checkpoint) = read(&file) {
            assert_eq!(checkpoint.info().id, original, "byte {at}");
            same += 1;
        }
        file[at] ^= change;
    }
    // dates and attributes of the parts may change without harm
    assert!(same > 0);
}

#[test]
fn an_altered_safetensors_file_is_an_error_or_a_model_of_its_shape() {
    let mut file = bytes("mae_k4.safetensors");
    let original = read(&file).unwrap();
    let header = 8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    for at in (0..header).chain((header..file.len()).step_by(4999)) {
        let change = [0x01, 0x20, 0xff][at % 3];
        file[at] ^= change;
        if let Ok(checkpoint) = read(&file) {
            assert_eq!(checkpoint.info().encoder, original.info().encoder, "byte {at}");
        }
        file[at] ^= change;
    }
}

#[test]
fn weights_too_large_to_calculate_with_give_an_error_and_no_embedding() {
    let mut file = bytes("mae_k4.safetensors");
    let embed = |file: &[u8]| {
        let model = Model::from_checkpoint(&read(file).unwrap(), DeviceChoice::Cpu, Default::default()).unwrap();
        let tokens = model.tokenizer().read(&b"ACGTTGCA".repeat(40));
        model.embed(&[&tokens, &tokens], Layers::Last)
    };
    assert!(embed(&file).is_ok());
    let header = 8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    file[header..].as_chunks_mut().0.iter_mut().for_each(|number| *number = 1e38f32.to_le_bytes());
    let error = embed(&file).unwrap_err();
    assert!(matches!(error, ModelError::NotFinite { row: 0 }), "{error}");
}

#[test]
fn settings_of_other_weights_are_refused() {
    let file = bytes("mae_k4.safetensors");
    let with = |sha256: &str| {
        let settings = format!(r#"{{"num_attention_heads": 6, "sha256": "{sha256}"}}"#);
        Checkpoint::from_bytes("m.safetensors", &file, Some(&settings), None)
    };
    let right = read(&file).unwrap().info().sha256.to_string();
    assert!(with(&right).is_ok() && with(&right.to_uppercase()).is_ok());
    let error = with(&right.replace('a', "b")).unwrap_err();
    assert!(matches!(error, ModelError::OtherWeights { .. }) && error.to_string().contains(&right), "{error}");
}

/// The pickle of a published file, changed at every byte, in an archive whose checksums are right again.
#[test]
fn an_altered_pickle_with_a_right_checksum_is_an_error_or_a_bounded_model() {
    let mut file = TorchFile::published();
    let parameters = read(&file.bytes()).unwrap().info().parameters;
    let pickle = file.pickle().to_vec();
    let mut loaded = 0;
    for at in (0..pickle.len()).step_by(5) {
        let mut altered = pickle.clone();
        altered[at] ^= [0x01, 0x02, 0x10, 0x80, 0xff][at % 5];
        file.set_pickle(altered);
        if let Ok(checkpoint) = read(&file.bytes()) {
            loaded += 1;
            assert!(checkpoint.info().parameters <= 2 * parameters, "byte {at}");
        }
    }
    assert!(loaded > 0, "changed names of settings do no harm");
}

#[test]
fn number_formats_strides_and_shared_storages_read_the_same() {
    let expected = read(&TorchFile::published().bytes()).unwrap().info().id;
    let id = |file: &TorchFile| read(&file.bytes()).unwrap().info().id;
    let mut file = TorchFile::published();
    file.store_transposed();
    assert_eq!(id(&file), expected, "transposed");
    let mut file = TorchFile::published();
    file.share_one_storage();
    assert_eq!(id(&file), expected, "one storage");
    let mut file = TorchFile::published();
    file.store_as(Kind::F64);
    assert_eq!(id(&file), expected, "f64");
    // what half precision rounds is the same weights in both of its containers, and other weights than before
    for kind in [Kind::F16, Kind::Bf16] {
        let mut file = TorchFile::published();
        file.store_as(kind);
        let narrow = id(&file);
        file.store_transposed();
        assert_eq!(id(&file), narrow, "{kind:?} transposed");
        assert_ne!(narrow, expected, "{kind:?}");
    }
}

#[test]
fn missing_and_misshapen_tensors_are_named() {
    let mut file = TorchFile::published();
    file.remove("encoder.layer.1.output.dense.bias");
    file.remove("embeddings.LayerNorm.weight");
    let error = read(&file.bytes()).unwrap_err();
    let ModelError::MissingTensors { names, .. } = &error else { panic!("{error}") };
    assert_eq!(names, &["embeddings.LayerNorm.weight", "encoder.layer.1.output.dense.bias"]);

    let mut file = TorchFile::published();
    file.reshape("encoder.layer.0.attention.self.key.weight", &[24, 96]);
    let error = read(&file.bytes()).unwrap_err();
    let ModelError::MisshapenTensors { tensors, .. } = &error else { panic!("{error}") };
    assert_eq!((tensors.len(), &tensors[0].expected[..], &tensors[0].found[..]), (1, &[48, 48][..], "[24, 96]"));
    assert!(error.to_string().contains("encoder.layer.0.attention.self.key.weight"));

    let mut file = TorchFile::published();
    file.replace("embeddings.word_embeddings.weight", Py::Global("torch", "float32"));
    assert!(matches!(read(&file.bytes()), Err(ModelError::MisshapenTensors { .. })));

    let mut file = TorchFile::published();
    file.set_first_value("encoder.layer.0.output.dense.weight", f32::NAN);
    assert!(message(&file.bytes()).contains("no numbers"));
}

#[test]
fn left_over_tensors_are_listed_or_warned_about() {
    let mut file = TorchFile::published();
    for name in ["pooler.dense.weight", "cls.predictions.bias", "classifier.weight", "embeddings.position_ids"] {
        file.add(name, &[2], &[1.0, 2.0]);
    }
    file.add("surprise.weight", &[1], &[1.0]);
    let checkpoint = read(&file.bytes()).unwrap();
    let known = ["classifier.weight", "cls.predictions.bias", "embeddings.position_ids", "pooler.dense.weight"];
    assert_eq!(checkpoint.info().ignored_tensors, known);
    assert_eq!(checkpoint.info().warnings.len(), 1);
    assert!(checkpoint.info().warnings[0].contains("surprise.weight"));
}

#[test]
fn heads_come_from_settings_then_the_file_beside_then_the_flag_then_a_guess() {
    let bare = bytes("legacy_barcodebert_k5.pth");
    let open = |settings: Option<&str>, heads| Checkpoint::from_bytes("m.pth", &bare, settings, heads).unwrap();
    let beside = open(Some(r#"{"num_attention_heads": 6}"#), Some(8));
    assert_eq!(beside.info().encoder.heads, 6);
    assert!(beside.info().warnings[0].contains("--heads 8 is not used"));
    let flag = open(None, Some(8));
    assert_eq!((flag.info().encoder.heads, flag.info().warnings.len()), (8, 0));
    let guess = open(None, None);
    assert_eq!(guess.info().encoder.heads, 12);
    assert!(guess.info().warnings[0].contains("--heads"));
    assert_ne!(guess.info().id, flag.info().id);
    let wrong = Checkpoint::from_bytes("m.pth", &bare, None, Some(7)).unwrap_err();
    assert!(wrong.to_string().contains("7 attention heads do not divide"), "{wrong}");
    assert!(Checkpoint::from_bytes("m.pth", &bare, None, Some(0)).is_err());

    let mut published = TorchFile::published();
    let with_settings = Checkpoint::from_bytes("m.pt", &published.bytes(), None, Some(8)).unwrap();
    assert_eq!(with_settings.info().encoder.heads, 6);
    published.set_bert("num_attention_heads", Py::Int(5));
    assert!(message(&published.bytes()).contains("5 attention heads do not divide"));
}

#[test]
fn variants_that_would_be_read_wrongly_are_refused_by_name() {
    let refusal = |change: &dyn Fn(&mut TorchFile)| {
        let mut file = TorchFile::published();
        change(&mut file);
        let error = read(&file.bytes()).unwrap_err();
        assert!(matches!(error, ModelError::Unsupported { .. }), "{error}");
        error.to_string()
    };
    let run = |key: &'static str, value: Py| refusal(&move |file| file.set_run(key, value.clone()));
    let bert = |key: &'static str, value: Py| refusal(&move |file| file.set_bert(key, value.clone()));
    assert!(run("tokenizer", Py::Text("bpe")).contains("BPE"));
    assert!(run("tokenize_n_nucleotide", Py::Bool(true)).contains("tokenize_n_nucleotide"));
    assert!(run("use_cls_token", Py::Bool(true)).contains("CLS"));
    assert!(run("jumbo", Py::Bool(true)).contains("jumbo"));
    assert!(run("n_registers", Py::Int(4)).contains("register"));
    assert!(run("stride", Py::Int(1)).contains("overlap"));
    assert!(run("arch", Py::Text("mamba")).contains("mamba"));
    assert!(bert("hidden_act", Py::Text("gelu_new")).contains("gelu_new"));
    assert!(bert("position_embedding_type", Py::Text("relative_key")).contains("relative_key"));
    assert!(bert("is_decoder", Py::Bool(true)).contains("decoder"));
    assert!(bert("model_type", Py::Text("roberta")).contains("roberta"));
    assert!(refusal(&|file| file.add("register_tokens", &[1], &[0.0])).contains("register"));
    let vocabulary = |count: i64| {
        refusal(&move |file| {
            file.add("embeddings.word_embeddings.weight", &[count, 48], &vec![0.1; count as usize * 48]);
            file.set_bert("vocab_size", Py::Int(count));
        })
    };
    assert!(vocabulary(259).contains("CLS"));
    assert!(vocabulary(627).contains("tokenize_n_nucleotide"));
    assert!(vocabulary(300).contains("BPE"));
}

#[test]
fn settings_that_contradict_the_weights_are_an_error() {
    let contradiction = |change: &dyn Fn(&mut TorchFile)| {
        let mut file = TorchFile::published();
        change(&mut file);
        let error = read(&file.bytes()).unwrap_err();
        assert!(matches!(error, ModelError::Settings { .. }), "{error}");
        error.to_string()
    };
    let width = contradiction(&|file| file.set_bert("hidden_size", Py::Int(768)));
    assert!(width.contains("hidden_size = 768") && width.contains("48"), "{width}");
    assert!(contradiction(&|file| file.set_run_pair("k_mer", "stride", Py::Int(6))).contains("k = 6"));
    assert!(contradiction(&|file| file.set_run("max_len", Py::Int(4000))).contains("1000 tokens"));
    assert!(contradiction(&|file| file.set_run("max_len", Py::Int(0))).contains("0 bases"));
    assert!(contradiction(&|file| file.set_bert("layer_norm_eps", Py::Float(-1.0))).contains("-1"));
    let own = |settings: &str| {
        Checkpoint::from_bytes("m.safetensors", &bytes("mae_k4.safetensors"), Some(settings), None)
            .unwrap_err()
            .to_string()
    };
    assert!(own("{").contains("no settings"));
    assert!(own(r#"{"num_attention_heads": 6, "k": 5}"#).contains("k = 5"));
    assert!(own(r#"{"num_attention_heads": 6, "special_tokens": ["[MASK]", "[UNK]", "[CLS]"]}"#).contains("k-mers"));
    assert!(own(r#"{"num_attention_heads": 6, "activation": "relu"}"#).contains("relu"));
    assert!(own(r#"{"num_attention_heads": 6, "read": {"layers": "some"}}"#).contains("some"));
}

#[test]
fn files_that_are_no_checkpoints_are_told_what_they_are() {
    let cases: [(&[u8], &str); 9] = [
        (b"", "empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", "before version 1.6"),
        (b"\x80\x04}.", "bare pickle"),
        (b">BOLD1\nACGT\n", "neither"),
        (b"PK\x03\x04", "cut short"),
        (b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "data.pkl"),
        (b"\x02\0\0\0\0\0\0\0{}", "BERT"),
    ];
    for (bytes, expected) in cases {
        let message = message(bytes);
        assert!(message.contains(expected), "{}: {message}", bytes.escape_ascii());
    }
    let entry = |name: &str, data: &[u8]| Entry::stored(name, data);
    let script = zip(&[entry("m/data.pkl", b"N."), entry("m/constants.pkl", b"N.")]);
    assert!(message(&script).contains("TorchScript"));
    let big_endian = zip(&[entry("m/data.pkl", b"N."), entry("m/byteorder", b"big")]);
    assert!(message(&big_endian).contains("big-endian"));
    assert!(message(&zip(&[entry("m/data.pkl", b"N.")])).contains("state dict"));
    assert!(message(&zip(&[entry("m/data.pkl", b"\x80\x02}.")])).contains("no tensors"));
    assert!(message(&zip(&[entry("m/data.pkl", b"\x80\x05N.")])).contains("protocol 5"));
    assert!(message(&zip(&[entry("a/data.pkl", b"N."), entry("b/data.pkl", b"N.")])).contains("two data.pkl"));
    assert!(message(&zip(&[entry("a/data.pkl", b"N."), entry("a/data.pkl", b"N.")])).contains("two parts"));
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Checkpoint::open(&folder.path().join("absent.pt"), None), Err(ModelError::Io { .. })));
    assert!(Checkpoint::open(folder.path(), None).unwrap_err().to_string().contains("config.json"));
}

#[test]
fn a_hugging_face_folder_with_another_tokeniser_or_in_parts_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::copy(reference("hf_mlm_k4/config.json"), at("config.json")).unwrap();
    let open = || Checkpoint::open(folder.path(), None);
    assert!(open().unwrap_err().to_string().contains("several parts"));
    std::fs::copy(reference("hf_mlm_k4/model.safetensors"), at("model.safetensors")).unwrap();
    let expected = open().unwrap();
    assert_eq!(expected.info().layout, CheckpointLayout::HuggingFace);
    std::fs::write(at("tokenizer.json"), r#"{"model": {"type": "BPE"}}"#).unwrap();
    assert!(open().unwrap_err().to_string().contains("BPE"));
    std::fs::remove_file(at("tokenizer.json")).unwrap();
    std::fs::write(at("merges.txt"), "").unwrap();
    assert!(open().unwrap_err().to_string().contains("BPE"));
    std::fs::remove_file(at("merges.txt")).unwrap();
    // the older way of storing the weights
    std::fs::remove_file(at("model.safetensors")).unwrap();
    std::fs::write(at("pytorch_model.bin"), TorchFile::bare_of("hf_mlm_k4/model.safetensors").bytes()).unwrap();
    assert_eq!(open().unwrap().info().id, expected.info().id);
    std::fs::write(at("config.json"), "{").unwrap();
    assert!(matches!(open(), Err(ModelError::Settings { .. })));
}

/// Peak memory of this process, in bytes, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? << 10)
}

#[test]
fn bombs_end_in_an_error_within_bounded_memory() {
    let entry = |name: &str, data: &[u8]| Entry::stored(name, data);
    // an archive that claims huge parts, many parts, or parts far away
    for (size, packed) in [(u32::MAX, u32::MAX), (0x7fff_ffff, 0x7fff_ffff), (1 << 30, 10)] {
        let huge = Entry { size, packed, ..entry("m/data.pkl", b"N.") };
        assert!(read(&zip(&[huge])).is_err());
    }
    let wide = |numbers: &[u64]| {
        let field: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let extra = [&1u16.to_le_bytes()[..], &(field.len() as u16).to_le_bytes(), &field].concat();
        Entry { size: u32::MAX, packed: u32::MAX, extra, ..entry("m/data.pkl", b"N.") }
    };
    for numbers in [&[u64::MAX, u64::MAX][..], &[1 << 40, 1 << 40], &[1 << 40], &[]] {
        assert!(read(&zip(&[wide(numbers)])).is_err(), "{numbers:?}");
    }
    assert!(message(&zip(&[Entry { method: 8, ..entry("m/data.pkl", b"N.") }])).contains("compressed"));
    assert!(message(&zip(&[Entry { flags: 1, ..entry("m/data.pkl", b"N.") }])).contains("encrypted"));
    let mut lying = zip(&[entry("m/data.pkl", b"N.")]);
    let end = lying.len() - 22;
    lying[end + 8..end + 12].fill(0xff);
    lying[end + 12..end + 16].copy_from_slice(&0x7fff_ffffu32.to_le_bytes());
    assert!(read(&lying).is_err());

    // a pickle larger than any description of weights
    assert!(message(&zip(&[entry("m/data.pkl", &vec![b'('; 65 << 20])])).contains("too large"));
    // one of thirty million instructions, all allowed
    let mut marks = b"(".repeat(30 << 20);
    marks.push(b'.');
    assert!(read(&zip(&[entry("m/data.pkl", &marks)])).is_err());

    // tensors that claim more than the file holds: huge shapes, repeated rows, and thousands of views of one storage
    let mut file = TorchFile::published();
    file.claim("embeddings.word_embeddings.weight", &[1 << 40, 1 << 40], &[1 << 40, 1]);
    assert!(read(&file.bytes()).is_err());
    file.claim("embeddings.word_embeddings.weight", &[i64::MAX, i64::MAX], &[0, 0]);
    assert!(read(&file.bytes()).is_err());
    let mut file = TorchFile::published();
    file.set_bert("vocab_size", Py::Int((1 << 20) + 2));
    file.set_run_pair("k_mer", "stride", Py::Int(10));
    file.claim("embeddings.word_embeddings.weight", &[(1 << 20) + 2, 48], &[0, 0]);
    assert!(message(&file.bytes()).contains("more numbers than the file holds"));
    let mut file = TorchFile::published();
    file.claim("encoder.layer.0.output.dense.weight", &[48, 96], &[i64::MAX, 1]);
    assert!(message(&file.bytes()).contains("beyond its storage"));
    let mut file = TorchFile::published();
    file.claim("encoder.layer.999999.output.dense.weight", &[1], &[1]);
    assert!(message(&file.bytes()).contains("layers"));

    // parts that overlap, each as long as the file
    let mut parts = vec![entry("m/data.pkl", b"N.")];
    parts.extend((0..2000).map(|index| Entry { same_data_as_first: true, ..entry(&format!("m/data/{index}"), b"N.") }));
    assert!(read(&zip(&parts)).is_err());

    // safetensors whose header is longer than the file, or full of brackets
    for length in [u64::MAX, 1 << 40, 99_000_000] {
        let mut file = length.to_le_bytes().to_vec();
        file.extend(b"{\"a\":");
        assert!(read(&file).is_err());
    }
    let brackets = [b"{\"__metadata__\":".to_vec(), b"[".repeat(5_000_000)].concat();
    let mut file = (brackets.len() as u64).to_le_bytes().to_vec();
    file.extend(&brackets);
    assert!(read(&file).is_err());
    if let Some(peak) = peak_memory() {
        assert!(peak < 1 << 30, "{} MiB", peak >> 20);
    }
}

#[test]
fn the_checksum_of_this_test_is_the_usual_one() {
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
}
