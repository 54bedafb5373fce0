//! `simulate` and `demo`

use super::super::args::{Common, DemoArguments, SimulateArguments};
use super::super::watch::Watch;
use super::{CommandError, facts};
use crate::data::simulate::SimulationSettings;
use crate::pipeline::demo::{DemoSettings, report_on_files, report_on_simulation, write_simulation};

pub(super) fn simulate(arguments: &SimulateArguments, common: &Common, watch: &Watch) -> Result<(), CommandError> {
    let settings = SimulationSettings { specimens: arguments.specimens, seed: common.seed() };
    write_simulation(&arguments.output, &settings, watch)?;
    watch.remark(&format!("{} simulated specimens written to {}", arguments.specimens, arguments.output.display()));
    facts(
        common,
        watch,
        &serde_json::json!({
            "output": arguments.output,
            "specimens": arguments.specimens,
            "seed": common.seed(),
            "simulated": true,
        }),
    )
}

pub(super) fn demo(arguments: &DemoArguments, common: &Common, watch: &Watch) -> Result<(), CommandError> {
    let model = common.open_model(watch)?;
    let settings = DemoSettings {
        folder: arguments.output.clone(),
        specimens: arguments.specimens,
        embed: common.embed_settings(),
        transform: common.transform,
        seed: common.seed(),
    };
    let cache = common.cache();
    let report = if arguments.files.is_empty() {
        report_on_simulation(&model, &settings, cache.as_ref(), watch)?
    } else {
        report_on_files(&arguments.files, &model, &settings, cache.as_ref(), watch)?
    };
    watch.remark(&format!("the report is {}", report.page.display()));
    facts(common, watch, &report)
}
