//! The methods paragraph of a result: what to write into a paper.

use super::Provenance;
use super::provenance::{COMMIT, VERSION};
use std::fmt::Write;

/// One paragraph on results that belong together, with the works to cite. The order is that of `results`.
pub fn methods_paragraph(results: &[&Provenance]) -> String {
    let mut text = format!("DNA barcodes were analysed with Barcodescope {VERSION} (commit {COMMIT}).");
    add_data(&mut text, results);
    add_model(&mut text, results);
    for result in results {
        add_result(&mut text, result);
    }
    let mut seeds: Vec<u64> = results.iter().map(|result| result.seed.0).collect();
    seeds.dedup();
    if let [seed] = seeds[..] {
        let _ = write!(text, " The seed of all random draws was {seed}.");
    }
    let cited = citations(results);
    if !cited.is_empty() {
        let _ = write!(text, "\n\nReferences\n{}", cited.join("\n"));
    }
    text.push('\n');
    text
}

fn add_data(text: &mut String, results: &[&Provenance]) {
    let mut seen = Vec::new();
    for result in results {
        let files = result.files.iter().map(|(name, hash)| format!("{name} (SHA-256 {hash})"));
        let unnamed = result.data.iter().filter(|_| result.files.is_empty());
        let sets = unnamed.map(|(name, key)| format!("{name} (content hash {key})"));
        for item in files.chain(sets) {
            if !seen.contains(&item) {
                seen.push(item);
            }
        }
    }
    if !seen.is_empty() {
        let _ = write!(text, " Data: {}.", seen.join("; "));
    }
}

fn add_model(text: &mut String, results: &[&Provenance]) {
    let mut seen = Vec::new();
    for result in results {
        let Some((name, id)) = &result.model else { continue };
        let setting = |name: &str| result.setting(name).unwrap_or("as published").to_owned();
        let registered = if result.setting("register") == Some("on") {
            "barcodes were shifted to the 658-base COI-5P frame before they were cut into k-mers"
        } else {
            "barcodes were read from their first base"
        };
        let sentence = format!(
            " Embeddings were computed with the model '{name}' (SHA-256 of its file {}), a masked autoencoder for DNA barcodes [1]: \
             {registered}, hidden states were averaged over the barcode's tokens (layers: {}), and vectors were transformed by: {}.",
            result.setting("model file SHA-256").map_or_else(|| id.to_string(), str::to_owned),
            setting("layers"),
            setting("transform"),
        );
        if !seen.contains(&sentence) {
            text.push_str(&sentence);
            seen.push(sentence);
        }
    }
}

/// What describes data and model and so has been told already.
const TOLD: [&str; 4] = ["model file SHA-256", "register", "layers", "transform"];

fn add_result(text: &mut String, result: &Provenance) {
    let settings: Vec<String> = result
        .settings
        .iter()
        .filter(|(name, value)| !TOLD.contains(&name.as_str()) && !value.is_empty())
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    if settings.is_empty() {
        return;
    }
    let what = if result.setting("projection").is_some() {
        "Specimens were laid out in two dimensions"
    } else if result.setting("recipe").is_some() {
        "Specimens were grouped without use of their names"
    } else if result.setting("rank").is_some() {
        "Specimens were named by their nearest neighbours"
    } else if result.setting("novelty score").is_some() {
        "Specimens of unknown taxa were sought by conformal p-values and the Benjamini-Hochberg procedure"
    } else if result.setting("audit by").is_some() {
        "Labels were compared with barcodes and BINs by written rules"
    } else {
        "Further settings"
    };
    let _ = write!(text, " {what} ({}).", settings.join(", "));
}

fn citations(results: &[&Provenance]) -> Vec<String> {
    let mut cited = Vec::new();
    let has = |name: &str, value: &str| results.iter().any(|result| result.setting(name) == Some(value));
    if results.iter().any(|result| result.model.is_some()) {
        cited.push(
            "[1] Safari M., Gharaee Z., Arias P. M., Lowe S. C., Taylor G. W., Chang A. X. (2025) Enhancing DNA foundation models to \
             address masking inefficiencies. arXiv:2502.18405."
                .to_owned(),
        );
    }
    let mut add = |work: &str| cited.push(format!("[{}] {work}", cited.len() + 1));
    if has("projection", "umap") || has("recipe", "ward") {
        add(
            "McInnes L., Healy J., Melville J. (2018) UMAP: uniform manifold approximation and projection for dimension reduction. \
             arXiv:1802.03426.",
        );
    }
    if has("recipe", "ward") {
        add(
            "Ward J. H. (1963) Hierarchical grouping to optimize an objective function. Journal of the American Statistical \
             Association 58: 236-244.",
        );
    }
    if has("recipe", "hdbscan") {
        add(
            "Campello R. J. G. B., Moulavi D., Sander J. (2013) Density-based clustering based on hierarchical density estimates. \
             PAKDD 2013, LNCS 7819: 160-172.",
        );
    }
    let is_audit = results.iter().any(|result| result.setting("audit by").is_some());
    if is_audit {
        add(
            "Fontes J. T., Vieira P. E., Ekrem T., Soares P., Costa F. O. (2021) BAGS: an automated Barcode, Audit & Grade System for DNA \
             barcode reference libraries. Molecular Ecology Resources 21: 573-583.",
        );
    }
    if is_audit || has("compared with", "bin") {
        add(
            "Ratnasingham S., Hebert P. D. N. (2013) A DNA-based registry for all animal species: the Barcode Index Number (BIN) \
             system. PLoS ONE 8: e66213.",
        );
    }
    if results.iter().any(|result| result.setting("recipe").is_some() && result.setting("compared with").is_some()) {
        add(
            "Vinh N. X., Epps J., Bailey J. (2010) Information theoretic measures for clusterings comparison. Journal of Machine \
             Learning Research 11: 2837-2854.",
        );
    }
    if results.iter().any(|result| result.setting("novelty score").is_some()) {
        add(
            "Bates S., Candès E., Lei L., Romano Y., Sesia M. (2023) Testing for outliers with conformal p-values. Annals of Statistics \
             51: 149-178.",
        );
        add(
            "Benjamini Y., Hochberg Y. (1995) Controlling the false discovery rate: a practical and powerful approach to multiple \
             testing. Journal of the Royal Statistical Society B 57: 289-300.",
        );
    }
    cited
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::ContentHash;
    use crate::seed::Seed;

    fn result() -> Provenance {
        let mut provenance = Provenance::new(Seed(5), &[]);
        provenance.files.push(("survey.csv".to_owned(), ContentHash::of(b"survey")));
        provenance
    }

    #[test]
    fn it_names_version_data_model_settings_seed_and_works() {
        let model = ContentHash::of(b"model");
        let map = result()
            .with_model("starter", model)
            .with("register", "on")
            .with("layers", "all")
            .with("transform", "whiten:512")
            .with("projection", "umap")
            .with("neighbours", 15);
        let groups = result().with("recipe", "ward").with("compared with", "bin");
        let text = methods_paragraph(&[&map, &groups]);
        for part in [
            VERSION,
            "survey.csv",
            &ContentHash::of(b"survey").to_string(),
            "starter",
            &model.to_string(),
            "658-base",
            "layers: all",
            "whiten:512",
            "neighbours 15",
            "seed of all random draws was 5",
            "arXiv:2502.18405",
            "arXiv:1802.03426",
            "Ward J. H.",
            "e66213",
        ] {
            assert!(text.contains(part), "'{part}' is missing in:\n{text}");
        }
        assert_eq!(text.matches("survey.csv").count(), 1, "a file is named once");
        assert!(!text.contains("Campello"));
    }

    #[test]
    fn works_are_cited_only_where_they_were_used() {
        let text = methods_paragraph(&[&result().with("rank", "genus").with("method", "kmer")]);
        assert!(text.contains("method kmer") && !text.contains("References"), "{text}");
    }
}
