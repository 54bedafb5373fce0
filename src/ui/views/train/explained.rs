//! What every setting is called in the form, and what it means in plain words.

/// Every setting that the form has: its name in a file, its name here, and what it means.
const EXPLAINED: [(&str, &str, &str); 46] = [
    ("objective", "Objective", "What the model learns by"),
    ("mask_ratio", "Hidden share", "Share of the k-mers that is hidden; several, with commas, train one model each"),
    ("minutes", "Length", "How long the model learns, pauses not counted; it can be paused and stopped at any time"),
    ("epochs", "Length", "How often the model sees every barcode; it can be paused and stopped at any time"),
    ("steps", "Length", "How often the weights are changed; the run can be paused and stopped at any time"),
    ("seed", "Seed", "Of every random draw: the same seed, barcodes and settings give the same model"),
    (
        "register",
        "Registered",
        "Whether barcodes are shifted to the COI-5P frame before they are cut into k-mers, so that those \
        which begin at different bases share their k-mers",
    ),
    ("k", "Bases of a k-mer", "Larger k-mers make shorter barcodes and a larger table"),
    ("max_bases", "Bases read", "What lies beyond is not read; COI-5P has 658 bases"),
    ("encoder_layers", "Encoder layers", "Depth of the part that is kept and makes the embeddings"),
    ("encoder_width", "Encoder width", "Length of an embedding; twice the width is four times the work"),
    ("encoder_inner", "Encoder inner width", "Width inside its feed-forward blocks, by custom four times the width"),
    (
        "encoder_heads",
        "Encoder heads",
        "So many things a k-mer can look for in the others at once; they divide the width",
    ),
    ("decoder_layers", "Decoder layers", "Depth of the part that puts hidden k-mers back; it is not used for reading"),
    ("decoder_width", "Decoder width", "Its width"),
    ("decoder_inner", "Decoder inner width", "Width inside its feed-forward blocks, by custom four times the width"),
    (
        "decoder_heads",
        "Decoder heads",
        "So many things a k-mer can look for in the others at once; they divide the width",
    ),
    ("batch", "Batch", "Barcodes that pass through the network together; more need more memory"),
    ("accumulation", "Accumulation", "Batches that make one step: larger steps without more memory"),
    (
        "peak_rate",
        "Peak learning rate",
        "How far a step of 64 barcodes moves the weights at most; too high and the loss rises",
    ),
    ("weight_decay", "Weight decay", "How much every weight shrinks in a step; a little keeps weights small"),
    (
        "clip",
        "Longest gradient",
        "Longer ones are shortened to it, which keeps odd batches from doing harm; 0: none is",
    ),
    ("dropout", "Dropout", "Share of the values that is dropped at random in training; helps where barcodes are few"),
    ("schedule", "Schedule", "How the learning rate goes up and down in the course of the run"),
    ("random_share", "Shown as another", "Share of the hidden k-mers that is shown as another k-mer instead"),
    (
        "kept_share",
        "Shown as it is",
        "Share of the hidden k-mers that is shown as it is, and has to be named all the same",
    ),
    (
        "masked_weight",
        "Weight of the hidden",
        "Share of the loss that the hidden k-mers make; the seen ones make the rest",
    ),
    (
        "frozen_mask",
        "[MASK] stays",
        "Whether the vector that stands for a hidden k-mer stays as it began, as in the published code",
    ),
    (
        "random_offset",
        "Random offset",
        "Whether 0 to k-1 bases are cut off the front, so that every k-mer of a barcode is seen; \
        registered models never have one",
    ),
    ("splits", "Train on", "Splits to train on, with commas; empty: all specimens"),
    ("validation_split", "Validate on", "A split to validate on; empty: a share of the barcodes is set aside"),
    (
        "validation_share",
        "Set aside",
        "Share of the barcodes that is not trained on, to see whether the model learns them by heart",
    ),
    ("validate_every", "Validate every", "Steps between two validations"),
    ("patience", "Patience", "Validations without improvement before the run stops; 0: it never does"),
    (
        "checkpoint_minutes",
        "Checkpoint every",
        "Minutes between two checkpoints, from which a run goes on after a power cut",
    ),
    ("validation_barcodes", "At most", "Barcodes that a validation takes; more make it steadier and slower"),
    ("report_every", "Report every", "Steps that make one point of the curves"),
    (
        "contrast",
        "Weight",
        "Weight of the loss that brings two views of a barcode together and others apart, beside that of naming k-mers; 0: there \
        is none",
    ),
    ("partner", "Second view", "What is shown beside a barcode and brought near to it"),
    ("temperature", "Temperature", "The lower it is, the more those other barcodes count that are nearest already"),
    (
        "noise",
        "Swapped bases",
        "Share of the bases of a view that is replaced by those of other barcodes at the same place; for registered models",
    ),
    (
        "nearest_relative",
        "Relatives from",
        "Share of differing bases from which another barcode is a relative, and no copy",
    ),
    ("farthest_relative", "Relatives to", "Share of differing bases up to which another barcode is a relative"),
    (
        "begin_with",
        "Begin with",
        "Random weights, or those of a trained model of the same size; the barcodes it was trained on count as seen, too",
    ),
    ("device", "Device", "Where it is trained. Automatic: a graphics card where one can be used, else the processor"),
    (
        "precision",
        "Numbers",
        "Of the products on a graphics card; weights, losses and the processor always have 32 bits",
    ),
];

/// Name and explanation of a setting.
pub(super) fn explained(setting: &'static str) -> (&'static str, &'static str) {
    EXPLAINED.iter().find(|(known, ..)| *known == setting).map_or((setting, ""), |(_, name, hint)| (name, hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::TrainSettings;

    /// The setting that the form has no field for, as it follows from others.
    const WITHOUT_FIELD: &str = "positions";

    #[test]
    fn every_setting_is_explained_once() {
        let settings = toml::Table::try_from(TrainSettings::default()).unwrap();
        for name in settings.keys() {
            let explanations = EXPLAINED.iter().filter(|(known, ..)| known == name);
            let expected = usize::from(name != WITHOUT_FIELD);
            assert_eq!(explanations.count(), expected, "{name}");
        }
        for (name, title, hint) in EXPLAINED.iter() {
            assert!(settings.contains_key(*name) && !title.is_empty() && hint.len() > 8, "{name}");
        }
    }
}
