//! `classify`, `cluster` and `project`

use super::super::args::{
    ClassifyArguments, ClusterArguments, ClusterNumber, Common, MethodChoice, ProjectArguments, RecipeName, VoteName,
};
use super::super::prepare::embed_with;
use super::super::watch::Watch;
use super::{CommandError, facts};
use crate::analysis::classify::{VoteSettings, Votes};
use crate::data::dataset::Dataset;
use crate::model::Model;
use crate::pipeline::classify::{Classification, ClassifySettings, classify as classify_sides, leave_one_out};
use crate::pipeline::cluster::{ClusterRecipe, ClusterSettings, cluster as cluster_dataset};
use crate::pipeline::embed::Embedded;
use crate::pipeline::export::{write_classification, write_clusters, write_neighbours, write_projection};
use crate::pipeline::likeness::Reference;
use crate::pipeline::project::{ProjectSettings, ProjectSource, project as project_dataset};
use crate::pipeline::recommend::{RecommendSettings, Recommendation, recommend};
use crate::pipeline::side::{Method, Side};
use crate::pipeline::subset::{rows_of_split, subset};
use std::path::Path;

pub(super) fn classify(arguments: &ClassifyArguments, common: &Common, watch: &Watch) -> Result<(), CommandError> {
    let vote = vote_settings(arguments)?;
    if arguments.leave_one_out {
        let (dataset, _) = arguments.reading.load(&arguments.files, watch)?;
        let model = encoder_for(arguments.method, common, watch)?;
        let embedded = model.map(|model| embed_with(common, &model, &dataset, watch)).transpose()?;
        let side = Side::all(&dataset, embedded.as_ref());
        let (method, recommendation) = method_for(side, arguments, common, watch)?;
        let result = leave_one_out(side, &classify_settings(arguments, common, method, vote), watch)?;
        return write_names(arguments, &result, recommendation.as_ref(), &dataset, &dataset, common, watch);
    }
    let (reference, _) = arguments.reading.load(&arguments.reference, watch)?;
    let reference = of_split(reference, arguments.reference_split.as_deref())?;
    let (query, _) = arguments.reading.load(&arguments.query, watch)?;
    let query = of_split(query, arguments.query_split.as_deref())?;
    let model = encoder_for(arguments.method, common, watch)?;
    let embedded: Option<[Embedded; 2]> = match &model {
        None => None,
        Some(model) => Some([embed_with(common, model, &reference, watch)?, embed_with(common, model, &query, watch)?]),
    };
    let [ours, theirs] = embedded.as_ref().map_or([None, None], |[ours, theirs]| [Some(ours), Some(theirs)]);
    let side = Side::all(&reference, ours);
    let (method, recommendation) = method_for(side, arguments, common, watch)?;
    let made = Reference::new(method, side, common.transform, watch)?;
    let settings = classify_settings(arguments, common, method, vote);
    let result = classify_sides(&made, Side::all(&query, theirs), &settings, watch)?;
    write_names(arguments, &result, recommendation.as_ref(), &query, &reference, common, watch)
}

fn vote_settings(arguments: &ClassifyArguments) -> Result<VoteSettings, CommandError> {
    let softmax = match arguments.votes {
        Some(votes) => votes == VoteName::Softmax,
        None => arguments.k > 1,
    };
    let temperature = arguments.temperature;
    if !(temperature > 0.0 && temperature.is_finite()) {
        return Err(CommandError::Usage("--temperature must be above 0".to_owned()));
    }
    let votes = if softmax { Votes::Softmax { temperature } } else { Votes::Uniform };
    Ok(VoteSettings { k: arguments.k, votes })
}

fn classify_settings(
    arguments: &ClassifyArguments,
    common: &Common,
    method: Method,
    vote: VoteSettings,
) -> ClassifySettings {
    ClassifySettings {
        rank: arguments.rank,
        method,
        vote,
        transform: common.transform,
        neighbours: if arguments.neighbours.is_some() { arguments.neighbour_count } else { 1 },
        set_aside_identical: arguments.set_aside_identical,
        seed: common.seed(),
    }
}

/// The method that was asked for; with `auto` the one that names the reference best, and what that rests on.
fn method_for(
    reference: Side<'_>,
    arguments: &ClassifyArguments,
    common: &Common,
    watch: &Watch,
) -> Result<(Method, Option<Recommendation>), CommandError> {
    if let MethodChoice::Given(method) = arguments.method {
        return Ok((method, None));
    }
    let settings = RecommendSettings {
        rank: arguments.rank,
        transform: common.transform,
        seed: common.seed(),
        ..RecommendSettings::default()
    };
    let found = recommend(reference, &settings, watch)?;
    let rank = found.rank.title();
    let Some(best) = found.best else {
        let kin = if found.without_species { "species" } else { "barcodes" };
        let why = format!(
            "--method auto: no {rank} of the reference has two {kin}, so the methods cannot be compared; name one"
        );
        return Err(CommandError::Usage(why));
    };
    let left_out = if found.without_species { "its species" } else { "its barcode" };
    let (n, n_species) = (found.n, found.n_species);
    watch.remark(&format!("{rank} of {n} specimens of the reference ({n_species} species), each without {left_out}:"));
    for evidence in &found.evidence {
        let [low, high] = evidence.interval.map(|end| 100.0 * end);
        watch.remark(&format!(
            "  {:<20} {:5.1} % (95 % interval {low:.1} to {high:.1}), {:.1} s per 1 000 barcodes without embedding",
            evidence.method.title(),
            100.0 * evidence.accuracy,
            evidence.seconds_per_1000,
        ));
    }
    let clear =
        if found.is_clear() || best == Method::Model { "" } else { "; its lead over the model alone may be chance" };
    watch.remark(&format!("taken: {}{clear}", best.title()));
    Ok((best, Some(found)))
}

/// The encoder that a method reads with, where it reads with one.
fn encoder_for(method: MethodChoice, common: &Common, watch: &Watch) -> Result<Option<Model>, CommandError> {
    Ok(match method {
        MethodChoice::Auto | MethodChoice::Given(Method::Model | Method::Both | Method::Fitted) => {
            Some(common.open_model(watch)?)
        }
        MethodChoice::Given(Method::Random) => Some(common.open_model(watch)?.random_like(common.seed())?),
        MethodChoice::Given(Method::Kmer | Method::Align) => None,
    })
}

fn of_split(dataset: Dataset, split: Option<&str>) -> Result<Dataset, CommandError> {
    Ok(match split {
        None => dataset,
        Some(split) => {
            let rows = rows_of_split(&dataset, split)?;
            subset(&dataset, &format!("{} ({split})", dataset.name()), &rows)
        }
    })
}

fn write_names(
    arguments: &ClassifyArguments,
    result: &Classification,
    recommendation: Option<&Recommendation>,
    query: &Dataset,
    reference: &Dataset,
    common: &Common,
    watch: &Watch,
) -> Result<(), CommandError> {
    if let Some(path) = &arguments.neighbours {
        write_neighbours(path, result, query, reference, arguments.neighbour_count, watch)?;
    }
    write_classification(&arguments.output, result, query, reference)?;
    let scores = result.scores.as_ref();
    match (scores, result.interval) {
        (Some(scores), Some([low, high])) => watch.remark(&format!(
            "{} of {} labelled queries named right by {}: {:.1} % (95 % interval {:.1} to {:.1})",
            result.calls.iter().filter(|call| call.correct() == Some(true)).count(),
            scores.n,
            result.method.title(),
            100.0 * scores.accuracy,
            100.0 * low,
            100.0 * high,
        )),
        _ => watch.remark("no query has a label to compare with"),
    }
    let unnameable = result.unnameable();
    if unnameable > 0 {
        let rank = result.rank.title();
        watch.remark(&format!("{unnameable} of them have a {rank} that no other specimen of the reference has: no method can name them right"));
    }
    if let Some(known) = result.trained_on {
        watch.remark(&format!("the model was trained on {known} of the {} queries", result.calls.len()));
    }
    facts(
        common,
        watch,
        &serde_json::json!({
            "output": arguments.output,
            "trained_on": result.trained_on,
            "rank": result.rank,
            "method": result.method,
            "recommendation": recommendation,
            "queries": result.calls.len(),
            "references": result.references,
            "n": scores.map(|scores| scores.n),
            "unnameable": unnameable,
            "accuracy": scores.map(|scores| scores.accuracy),
            "ci95": result.interval,
            "balanced_accuracy": scores.map(|scores| scores.balanced_accuracy),
            "macro_f1": scores.map(|scores| scores.macro_f1),
            "seconds": result.seconds,
            "provenance": result.provenance,
        }),
    )
}

pub(super) fn cluster(arguments: &ClusterArguments, common: &Common, watch: &Watch) -> Result<(), CommandError> {
    let recipe = recipe_of(arguments)?;
    let (dataset, embedded) = read_and_embed(&arguments.reading, &arguments.files, common, watch)?;
    let settings =
        ClusterSettings { recipe, against: arguments.against, transform: common.transform, seed: common.seed() };
    let result = cluster_dataset(&dataset, &embedded, &settings, watch)?;
    write_clusters(&arguments.output, &dataset, &result.labels)?;
    let number = if result.used_true_number { " (their number was taken from the labels)" } else { "" };
    watch.remark(&format!("{} groups of {} specimens{number}, {} in none", result.found, dataset.len(), result.noise));
    if let (Some(field), Some(true_number), Some(agreement)) = (result.against, result.true_number, &result.agreement) {
        watch.remark(&format!(
            "against {true_number} different {}: AMI {:.3}, ARI {:.3}, homogeneity {:.3}, completeness {:.3}",
            field.title(),
            agreement.ami,
            agreement.ari,
            agreement.homogeneity,
            agreement.completeness
        ));
    }
    facts(
        common,
        watch,
        &serde_json::json!({
            "output": arguments.output,
            "specimens": dataset.len(),
            "clusters": result.found,
            "noise": result.noise,
            "threshold": result.threshold,
            "suggested_threshold": result.suggested,
            "against": result.against,
            "true_number": result.true_number,
            "used_true_number": result.used_true_number,
            "ami": result.agreement.as_ref().map(|agreement| agreement.ami),
            "ari": result.agreement.as_ref().map(|agreement| agreement.ari),
            "homogeneity": result.agreement.as_ref().map(|agreement| agreement.homogeneity),
            "completeness": result.agreement.as_ref().map(|agreement| agreement.completeness),
            "seconds": result.seconds,
            "provenance": result.provenance,
        }),
    )
}

fn recipe_of(arguments: &ClusterArguments) -> Result<ClusterRecipe, CommandError> {
    let not_for = |option: &str| {
        let recipe = format!("{:?}", arguments.recipe).to_lowercase();
        Err(CommandError::Usage(format!("{option} does not belong to the recipe '{recipe}'")))
    };
    if arguments.threshold.is_some_and(|threshold| !(0.0..=2.0).contains(&threshold)) {
        return Err(CommandError::Usage("--threshold is a cosine distance, from 0 to 2".to_owned()));
    }
    if arguments.recipe != RecipeName::Threshold && arguments.threshold.is_some() {
        return not_for("--threshold");
    }
    if arguments.recipe != RecipeName::Ward && arguments.clusters.is_some() {
        return not_for("--clusters");
    }
    Ok(match arguments.recipe {
        RecipeName::Threshold => {
            ClusterRecipe::Threshold { linkage: arguments.linkage, threshold: arguments.threshold }
        }
        RecipeName::Hdbscan => ClusterRecipe::Hdbscan { min_size: arguments.min_size },
        RecipeName::Ward => ClusterRecipe::Ward {
            clusters: match arguments.clusters {
                None | Some(ClusterNumber::True) => None,
                Some(ClusterNumber::Given(number)) => Some(number),
            },
        },
    })
}

pub(super) fn project(arguments: &ProjectArguments, common: &Common, watch: &Watch) -> Result<(), CommandError> {
    if !(0.0..=1.0).contains(&arguments.min_dist) {
        return Err(CommandError::Usage("--min-dist goes from 0 to 1".to_owned()));
    }
    let (dataset, embedded) = read_and_embed(&arguments.reading, &arguments.files, common, watch)?;
    let settings = ProjectSettings {
        method: arguments.method,
        neighbours: arguments.neighbors,
        min_dist: arguments.min_dist,
        metric: arguments.metric,
        transform: common.transform,
        epochs: None,
        seed: common.seed(),
    };
    let result = project_dataset(&dataset, ProjectSource::Embedded(&embedded), &settings, watch)?;
    write_projection(&arguments.output, &dataset, &result.points)?;
    watch.remark(&format!("{} specimens laid out in {:.1} s", dataset.len(), result.seconds));
    facts(
        common,
        watch,
        &serde_json::json!({
            "output": arguments.output,
            "specimens": dataset.len(),
            "method": result.method,
            "explained_variance": result.explained,
            "seconds": result.seconds,
            "provenance": result.provenance,
        }),
    )
}

fn read_and_embed(
    reading: &super::super::args::Reading,
    files: &[impl AsRef<Path>],
    common: &Common,
    watch: &Watch,
) -> Result<(Dataset, Embedded), CommandError> {
    let files: Vec<_> = files.iter().map(|file| file.as_ref().to_owned()).collect();
    let (dataset, _) = reading.load(&files, watch)?;
    let model = common.open_model(watch)?;
    let embedded = embed_with(common, &model, &dataset, watch)?;
    Ok((dataset, embedded))
}
