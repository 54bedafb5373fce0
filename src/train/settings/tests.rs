//! Settings are read, changed and checked.

use super::*;
use crate::model::EncoderShape;

#[test]
fn presets_make_runs_and_the_published_one_has_the_papers_values() {
    for preset in Preset::ALL {
        let checked = preset.settings().checked().unwrap();
        assert_eq!(checked.len(), 1, "{preset}");
        assert_eq!(preset.to_string().parse(), Ok(preset));
    }
    assert_eq!("BarcodeMAE 6-6-6".parse(), Ok(Preset::BarcodeMae666));
    let paper = Preset::BarcodeMae666.settings().checked().unwrap().remove(0);
    let shape = EncoderShape { layers: 6, width: 768, inner: 3072, heads: 6, positions: 512 };
    assert_eq!((paper.architecture.encoder, paper.architecture.decoder), (shape, Some(shape)));
    assert_eq!(
        (paper.masking.ratio, paper.schedule.kind, paper.length()),
        (0.5, ScheduleKind::OneCycle, RunLength::Epochs(35.0))
    );
    assert!((paper.schedule.peak - 2e-4).abs() < 1e-18, "1e-4 for every 64 barcodes of the batch");
}

#[test]
fn files_say_what_differs_from_the_defaults_and_come_back_to_the_last_bit() {
    let changes: TrainChanges =
        toml::from_str("k = 4\nmask_ratio = 0.25\nsteps = 100\nsplits = [\"train\"]\nobjective = \"mlm\"").unwrap();
    let settings = Preset::Laptop.settings().with(&changes);
    assert_eq!((settings.k, settings.objective, settings.minutes), (4, Objective::Mlm, 0.0));
    let odd = TrainSettings { peak_rate: 0.1 + 0.2, weight_decay: 1.0 / 3.0 * 1e-7, ..settings };
    assert_eq!(toml::from_str::<TrainSettings>(&toml::to_string(&odd).unwrap()).unwrap(), odd);
    assert!(toml::from_str::<TrainChanges>("leyers = 3").unwrap_err().to_string().contains("leyers"));
    let several: TrainChanges = toml::from_str("mask_ratio = [0.25, 0.75]").unwrap();
    assert_eq!(TrainSettings::default().with(&several).checked().unwrap().len(), 2);
}

#[test]
fn what_makes_no_run_is_refused_by_name() {
    let base = TrainSettings::default;
    let cases = [
        ("encoder_heads", TrainSettings { encoder_heads: 3, ..base() }),
        ("decoder_heads", TrainSettings { decoder_heads: 0, ..base() }),
        ("mask_ratio", TrainSettings { mask_ratio: Ratios(vec![1.0]), ..base() }),
        ("mask_ratio", TrainSettings { mask_ratio: Ratios(Vec::new()), ..base() }),
        ("kept_share", TrainSettings { random_share: 0.6, kept_share: 0.6, ..base() }),
        ("masked_weight", TrainSettings { masked_weight: 0.0, ..base() }),
        ("batch", TrainSettings { batch: 0, ..base() }),
        ("peak_rate", TrainSettings { peak_rate: f64::NAN, ..base() }),
        ("dropout", TrainSettings { dropout: 1.0, ..base() }),
        ("minutes", TrainSettings { steps: 5, ..base() }),
        ("minutes", TrainSettings { minutes: 0.0, ..base() }),
        ("minutes", TrainSettings { minutes: -1.0, ..base() }),
        ("positions", TrainSettings { positions: 100, ..base() }),
        ("k", TrainSettings { k: 11, ..base() }),
        ("device", TrainSettings { device: DeviceChoice::Cuda, ..base() }),
        ("precision", TrainSettings { precision: Precision::Bf16, ..base() }),
        ("contrast", TrainSettings { contrast: -1.0, ..base() }),
        ("temperature", TrainSettings { temperature: 0.0, ..base() }),
        ("noise", TrainSettings { noise: 1.0, ..base() }),
        ("noise", TrainSettings { contrast: 1.0, noise: 0.1, ..base() }),
        ("partner", TrainSettings { contrast: 1.0, partner: Partner::Relative, ..base() }),
        ("farthest_relative", TrainSettings { farthest_relative: 0.02, ..base() }),
        ("batch", TrainSettings { contrast: 1.0, batch: 63, ..base() }),
    ];
    for (setting, settings) in cases {
        assert_eq!(settings.checked().unwrap_err().setting, setting);
    }
    let mlm = TrainSettings { objective: Objective::Mlm, decoder_heads: 0, ..base() };
    assert!(mlm.checked().is_ok(), "a masked language model has no decoder");
}

#[test]
fn a_new_length_takes_the_place_of_the_old() {
    let changes = TrainChanges { epochs: Some(2.0), ..TrainChanges::default() };
    let settings = TrainSettings::default().with(&changes);
    assert_eq!((settings.epochs, settings.minutes, settings.steps), (2.0, 0.0, 0));
    assert_eq!(TrainSettings::default().with(&TrainChanges::default()), TrainSettings::default());
}
