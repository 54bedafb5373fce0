//! `audit`

use super::super::args::{AuditArguments, Common};
use super::super::prepare::embed_with;
use super::super::watch::Watch;
use super::{CommandError, facts};
use crate::pipeline::audit::{Audit, AuditSettings, Cause, Contaminants, audit_with, write_audit};
use crate::pipeline::side::{Method, Side};

pub(super) fn run(arguments: &AuditArguments, common: &Common, watch: &Watch) -> Result<(), CommandError> {
    let settings = AuditSettings {
        method: arguments.method,
        transform: common.transform,
        neighbours: arguments.neighbours,
        contamination: arguments.contamination,
        contaminant: arguments.contaminant,
        same_species: arguments.same_species,
        related: arguments.related,
        margin: arguments.margin,
        seed: common.seed(),
    };
    let (dataset, _) = arguments.reading.load(&arguments.files, watch)?;
    let model = match settings.method {
        Method::Random => Some(common.open_model(watch)?.random_like(common.seed())?),
        method if method.embeds() => Some(common.open_model(watch)?),
        _ => None,
    };
    let embedded = model.map(|model| embed_with(common, &model, &dataset, watch)).transpose()?;
    let contaminants = arguments.contaminants.as_deref().map(|path| Contaminants::read(path, watch)).transpose()?;
    let side = Side::all(&dataset, embedded.as_ref());
    let found = audit_with(side, contaminants.as_ref(), &settings, watch)?;
    let page = write_audit(&arguments.output, &found, &dataset)?;
    let suspicious = found.suspicious();
    watch.remark(&format!("something speaks against {suspicious} of {} named specimens", found.suspects.len()));
    watch.remark(&format!("the report is {}", page.display()));
    facts(common, watch, &facts_of(arguments, &found))
}

fn facts_of(arguments: &AuditArguments, found: &Audit) -> serde_json::Value {
    let causes = Cause::ALL.map(|cause| (cause.key().to_owned(), found.count(cause).into()));
    serde_json::json!({
        "output": arguments.output,
        "specimens": found.suspects.len(),
        "unnamed": found.unnamed,
        "causes": serde_json::Map::from_iter(causes),
        "seconds": found.seconds,
        "provenance": found.provenance,
    })
}
